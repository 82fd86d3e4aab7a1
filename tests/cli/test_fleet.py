"""up, work, provision and roles."""

import asyncio
import json
import stat

import pytest

from workers.cli.complaints import Unreachable
from workers.cli.upfile import NAME, Up, is_alive, read_up, remove_up, state_dir, write_up
from workers.llm.models_file import BadModels
from workers.orchestrator.blueprint_file import BadBlueprint


class TestUp:
    def test_it_runs_all_workers_on_an_embedded_broker_until_it_is_stopped(self, desk):
        desk.signals.left = 1
        result = desk("up")
        assert result.exit_code == 0, result.output
        assert desk.fleet.servers == [None]
        assert desk.fleet.ran == [("nats://127.0.0.1:5555", desk.fleet.names, False)]
        assert "3 workers up" in result.stderr

    def test_while_it_is_up_others_find_it_and_afterwards_they_do_not(self, desk):
        found = []
        desk.alive = {desk.outside.pid}
        waiting = desk.signals.next

        async def looked_up_first() -> bool:
            found.append(read_up(desk.outside.state_dir, lambda pid: True))
            return await waiting()

        desk.signals.next, desk.signals.left = looked_up_first, 1
        desk("up")
        assert found[0] == Up(desk.outside.pid, "nats://127.0.0.1:5555")
        assert read_up(desk.outside.state_dir, lambda pid: True) is None

    def test_processes_workers_data_and_broker_are_options(self, desk, tmp_path):
        desk.signals.left = 1
        desk("up", "--processes", "--workers", "sandbox,architect", "--data", str(tmp_path / "d"))
        assert desk.fleet.servers == [tmp_path / "d"]
        assert desk.fleet.ran == [("nats://127.0.0.1:5555", ("sandbox", "architect"), True)]
        desk.signals.left = 1
        desk("up", "--nats", "nats://there:4222")
        assert desk.fleet.ran[-1][0] == "nats://there:4222"
        assert len(desk.fleet.servers) == 1

    @pytest.mark.parametrize(
        "fault",
        [
            BadModels("models.yaml", ["targets.a.provider: unknown 'grok'"]),
            BadBlueprint("blueprint.yaml", ["ballots.relase: unknown field"]),
        ],
    )
    def test_a_file_with_faults_is_told_as_such(self, desk, fault):
        async def refuses(*given):
            raise fault

        desk.fleet.run = refuses
        result = desk("up")
        assert (result.exit_code, "ended by itself" in result.stderr) == (2, False)
        assert result.stderr.endswith(f"flotilla: {fault}\n")

    def test_an_unknown_worker_is_refused_with_those_that_there_are(self, desk):
        result = desk("up", "--workers", "sandbox,poet")
        assert result.exit_code == 2
        assert "no worker 'poet'" in result.stderr
        assert "orchestrator, architect, sandbox" in result.stderr

    def test_a_second_fleet_of_its_own_is_refused_with_the_first_one_named(self, desk):
        desk.alive = {4711}
        write_up(desk.outside.state_dir, Up(4711, "nats://there:4222"))
        result = desk("up")
        assert result.exit_code == 2
        assert "process 4711" in result.stderr

    def test_a_second_fleet_on_a_named_broker_leaves_the_note_of_the_first(self, desk):
        desk.alive, desk.signals.left = {4711}, 1
        write_up(desk.outside.state_dir, Up(4711, "nats://127.0.0.1:4222"))
        assert desk("up", "--nats", "nats://there:4222").exit_code == 0
        assert read_up(desk.outside.state_dir, lambda pid: True) == Up(4711, "nats://127.0.0.1:4222")

    def test_data_for_a_broker_that_is_named_makes_no_sense(self, desk, tmp_path):
        assert desk("up", "--nats", "nats://there:4222", "--data", str(tmp_path)).exit_code == 2

    def test_a_fleet_that_breaks_ends_the_command(self, desk):
        desk.fleet.breaks = "no room"
        result = desk("up")
        assert result.exit_code == 1
        assert "no room" in result.stderr

    def test_a_second_ctrl_c_does_not_wait_for_what_is_held(self, desk):
        async def never_stops(settings, names, processes, ready, stop) -> None:
            ready.set()
            await asyncio.Event().wait()

        desk.fleet.run, desk.signals.left = never_stops, 2
        assert desk("up").exit_code == 0


class TestWork:
    def test_it_runs_that_one_worker(self, desk):
        desk.fleet.when_up = desk.signals.interrupt
        result = desk("work", "architect", "--nats", "nats://there:4222")
        assert result.exit_code == 0, result.output
        assert desk.fleet.ran == [("nats://there:4222", ("architect",), False)]

    def test_it_waits_for_a_broker_that_comes_later(self, desk):
        tries = []

        async def later(url: str) -> None:
            tries.append(url)
            if len(tries) < 3:
                raise Unreachable("no NATS broker can be reached yet.")

        desk.with_outside(reach=later, retry_s=0.001)
        desk.fleet.when_up = desk.signals.interrupt
        result = desk("work", "architect")
        assert result.exit_code == 0
        assert len(tries) == 3
        assert result.stderr.count("Waiting for it") == 1

    def test_it_can_be_stopped_while_it_waits(self, desk):
        desk.reachable, desk.signals.left = set(), 1
        assert desk("work", "architect").exit_code == 0
        assert desk.fleet.ran == []

    def test_it_ends_with_the_fleet_it_belongs_to(self, desk):
        desk.alive = {4711}
        desk.with_outside(retry_s=0.01)
        desk.fleet.when_up = desk.alive.clear
        assert desk("work", "architect", "--parent", "4711").exit_code == 0
        assert desk.fleet.ran == [("nats://127.0.0.1:4222", ("architect",), False)]

    def test_an_unknown_name_is_refused(self, desk):
        assert desk("work", "poet").exit_code == 2


class TestProvisionAndRoles:
    def test_provision_prints_what_it_made(self, desk):
        result = desk("provision", "--nats", "nats://there:4222")
        assert result.exit_code == 0
        assert "stream LOG: made" in result.stdout.splitlines()
        assert desk.fleet.provisioned == ["nats://there:4222"]

    def test_provision_needs_a_broker(self, desk):
        assert desk("provision", "--nats", "nats://nowhere:1").exit_code == 3

    def test_roles_lists_every_worker_with_the_commands_it_takes(self, desk):
        lines = desk("roles").stdout.splitlines()
        assert len(lines) == 3
        assert "does what the architect does (DesignSystem)" in lines[1]

    def test_roles_as_json(self, desk):
        rows = [json.loads(line) for line in desk("roles", "--json").stdout.splitlines()]
        assert rows[1] == {"name": "architect", "purpose": "does what the architect does", "takes": ["DesignSystem"]}


class TestTheNoteOfAFleetThatIsUp:
    def test_it_is_readable_by_its_user_only(self, tmp_path):
        write_up(tmp_path, Up(1, "nats://user:secret@here:4222"))
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600

    def test_it_is_replaced_as_a_whole(self, tmp_path):
        write_up(tmp_path, Up(1, "nats://a:1"))
        write_up(tmp_path, Up(2, "nats://b:2"))
        assert read_up(tmp_path, lambda pid: True) == Up(2, "nats://b:2")
        assert [path.name for path in tmp_path.iterdir()] == [NAME]

    def test_only_its_own_process_takes_it_away(self, tmp_path):
        write_up(tmp_path, Up(1, "nats://a:1"))
        remove_up(tmp_path, 2)
        assert (tmp_path / NAME).exists()
        remove_up(tmp_path, 1)
        assert not (tmp_path / NAME).exists()
        remove_up(tmp_path, 1)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x", "url": 1}', "null", "\x00"])
    def test_one_that_can_not_be_read_is_no_note(self, tmp_path, content):
        (tmp_path / NAME).write_text(content)
        assert read_up(tmp_path, lambda pid: True) is None
        remove_up(tmp_path, 1)

    def test_it_lies_where_the_xdg_rules_say(self, tmp_path):
        assert state_dir({"XDG_STATE_HOME": "/var/state"}, tmp_path).as_posix() == "/var/state/flotilla"
        assert state_dir({}, tmp_path) == tmp_path / ".local" / "state" / "flotilla"
        assert state_dir({"XDG_STATE_HOME": "relative"}, tmp_path) == tmp_path / ".local" / "state" / "flotilla"

    def test_a_process_is_alive_or_not(self, desk):
        assert is_alive(desk.outside.pid)
        assert not is_alive(2**22 + 1)
        assert not is_alive(0)
