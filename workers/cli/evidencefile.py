"""An experiment's evidence as a picture in a file."""

from pathlib import Path

from workers.cli.complaints import Misused
from workers.cli.experimenttext import Standing, end_in_words
from workers.cli.outside import note
from workers.gateway.pictures.evidence import Findings, evidence


def drawn_to(file: Path, standing: Standing) -> None:
    """Write the picture as SVG, over what is there, and note it. Raises Misused when that can't be."""
    sentence = "" if standing.verdict == "running" else end_in_words(standing)
    found = Findings(
        standing.started, standing.curve, standing.live, standing.candidate, standing.verdict, sentence
    )  # fmt: skip
    try:
        file.write_text(evidence(found) + "\n", encoding="utf-8")
    except OSError as error:
        raise Misused(f"--svg {file} can't be written: {(error.strerror or str(error)).lower()}") from None
    note(f"drawn in {file}")
