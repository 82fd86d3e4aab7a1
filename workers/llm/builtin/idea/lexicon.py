"""What words mean for a record-keeping service: types, modifiers, verbs, and what can't be done."""

from collections.abc import Sequence
from itertools import pairwise

from contracts.v1.projects import FieldType
from workers.llm.builtin.wordset import wordset

# Files themselves are not kept: a field for one holds its address.
MEDIA = wordset("photo photograph image picture attachment file scan avatar logo screenshot video thumbnail")

BY_HEAD: dict[FieldType, frozenset[str]] = {
    "money": wordset(
        "price cost fee amount salary wage budget balance rent fine deposit total revenue income tip payment spend"
    ),
    "date": wordset("date birthday birthdate deadline due dob expiry anniversary day"),
    "time": frozenset(["time"]),
    "datetime": wordset("timestamp datetime"),
    "boolean": wordset(
        "active done paid completed complete finished available enabled archived vegetarian vegan favourite favorite "
        "urgent returned sold confirmed approved published read watched cancelled canceled flag"
    ),
    "email": frozenset(["email"]),
    "url": wordset("url website link homepage webpage") | MEDIA,
    "integer": wordset(
        "count quantity qty age year pages stock capacity seats copies servings minutes hours days weeks duration "
        "calories points floors bedrooms repetitions reps sets"
    ),
    "number": wordset(
        "rating weight height width length depth distance temperature latitude longitude percentage score rate speed "
        "volume area mileage number_value humidity pressure "
        "litres liters kilometres kilometers km metres meters miles kg grams kilograms"
    ),
}  # fmt: skip

_TYPE_PHRASES: dict[FieldType, tuple[str, ...]] = {
    "text": ("text", "string", "words", "free text", "long text", "short text"),
    "integer": ("integer", "int", "whole number", "count", "integer number"),
    "number": ("number", "decimal", "float", "decimal number", "numeric", "real number"),
    "money": ("money", "amount", "currency", "an amount of money", "amount of money", "price", "euros", "dollars",
              "pounds", "eur", "usd", "gbp", "euro", "dollar", "€", "$", "£", "chf", "francs"),
    "date": ("date", "day", "a day", "calendar date"),
    "time": ("time", "time of day"),
    "datetime": ("datetime", "date and time", "timestamp", "date time", "moment", "date-time"),
    "boolean": ("boolean", "bool", "flag", "yes or no", "true or false", "checkbox", "yes-no", "yes"),
    "email": ("email", "email address"),
    "url": ("url", "link", "web address", "website", "webpage", "web page"),
}  # fmt: skip
TYPE_NAMES = {tuple(phrase.split()): kind for kind, phrases in _TYPE_PHRASES.items() for phrase in phrases}

# Times that last, and so are numbers of minutes and no time of day.
LASTING = wordset("running cooking preparation prep baking playing travel waiting reading driving brewing")

NUMBERS = wordset("two three four five six 2 3 4 5 6")

STATES = {tuple(state.split()) for state in ("in stock", "in print", "on sale", "for sale", "on loan", "in use")}

UNITS = wordset(
    "kg g grams kilograms km m cm mm metres meters kilometres kilometers miles minutes hours days weeks seconds years "
    "celsius litres liters ml percent degrees pounds-weight feet inches watts"
)
WHOLE_UNITS = wordset("minutes hours days weeks seconds years")

REQUIRED = wordset("required mandatory compulsory obligatory needed")
OPTIONAL = frozenset(["optional"])
UNIQUE = wordset("unique distinct")

DETERMINERS = wordset("a an the its their his her our my your some any all these those this that own both")
EACH = wordset("each every")
MANY = wordset("many several multiple")
MODALS = wordset("can may could might must should shall will")
HAVING = wordset(
    "has have having contains contain includes include needs need stores store records requires require holds hold "
    "consists comprises carry carries gets get got"
)
BEING = wordset("is are be being was were")
PRONOUNS = wordset("it they which who them these those")
PEOPLE = wordset("i we you users user people everyone anyone staff one clients customers visitors")

TRACKING = wordset(
    "track tracks tracking manage manages managing store stores storing record records recording organise organises "
    "organising organize organizes organizing log logs logging catalogue catalogues cataloguing catalog catalogs list "
    "lists listing keep keeps keeping maintain maintains maintaining monitor monitors monitoring handle handles "
    "handling register registers registering collect collects collecting remember remembers save saves saving hold "
    "holds"
)

SOFTWARE = wordset(
    "service app application api system tool backend back-end database tracker program software manager organiser "
    "organizer box log register registry directory catalogue catalog inventory planner diary journal server "
    "library collection crm shop blog cookbook calendar wiki bookshelf microservice webservice package project "
    "list book archive index repository"
)
# Of these, what is left of a title when they are taken off names the subject.
PLAIN_SOFTWARE = wordset(
    "service app application api system tool backend back-end database program software server microservice "
    "webservice package project"
)
TITLE_NOISE = wordset(
    "simple small little basic tiny personal new rest restful http json crud python sqlite web-based minimal nice "
    "good lightweight self-hosted internal robust clean web"
)

# For `<thing> tracker` and the like: things that are kept records of and need no further words.
TRACKED = wordset(
    "task todo issue bug expense book movie film recipe contact note event bookmark habit plant workout asset member "
    "item product"
)

ACTIONS = wordset(
    "add create edit update change delete remove view see browse show read get fetch look list search find filter "
    "sort order page paginate manage enter modify"
)

TAG_LIKE = wordset("tag label keyword category topic genre skill ingredient allergen hashtag author")
MUTUAL_VERBS = wordset(
    "book attend enrol enroll join sign register take like follow use know speak study visit share wear"
)

DONE_ANYWAY = wordset(
    "python sqlite http json api rest restful crud openapi swagger tests test readme docs documentation validation "
    "errors web backend database storage persistence migrations"
)

_MAIL = "I can keep records of messages and addresses, so that another program can send them."
_PAGE = "I can build the JSON API that a front end would use."
_MONEY = "I can keep records of payments (amount, date, status) that were made elsewhere."
_LOGIN = "I can keep records of people; put the service behind a proxy that asks for passwords."
_LIVE = "I can build a service that keeps records of players and matches, or of whatever it is about."
_FILES = "I can keep records of files with a name and a URL."
_MATHS = "I can keep the numbers and list, filter and sort them; another program can compute with them."
_STACK = "I write Python with its standard library and SQLite only."
_LATER = "I can keep dates and list records by them, so that another program can act on them."

IMPOSSIBLE: dict[str, str] = {
    word: instead
    for instead, words in {
        _MAIL: "notify notifies notification notifications sms sends send sending emailing newsletter newsletters "
               "slack whatsapp telegram",
        _PAGE: "react vue angular svelte frontend front-end ui gui javascript typescript html css dashboard "
               "dashboards android ios nextjs next.js",
        _MONEY: "stripe paypal checkout bitcoin crypto blockchain",
        _LOGIN: "login logins log-in oauth authentication authorization authorisation sso password passwords "
                "permissions roles-based sign-in signup sign-up 2fa authenticate",
        _LIVE: "real-time realtime multiplayer websocket websockets chat chatbot streaming livestream",
        _FILES: "upload uploads uploading pdf pdfs csv excel spreadsheet export exports exporting import imports "
                "importing backup backups",
        _MATHS: "calculate calculates calculating compute computes sum sums average averages statistics analytics "
                "predict predicts prediction recommend recommends recommendations forecast ai "
                "machine-learning chart charts graph graphs reporting",
        _STACK: "postgres postgresql mysql mongodb redis kafka django flask fastapi rails java rust golang "
                "node.js kubernetes docker aws azure graphql grpc php kotlin swift",
        _LATER: "remind reminds reminder reminders automatically automatic nightly monthly weekly "
                "scrape scrapes scraping crawl crawls crawler sync syncs syncing synchronise synchronize alerts alert",
    }.items()
    for word in words.split()
}  # fmt: skip


def infer(words: Sequence[str]) -> FieldType:
    """The type that a field most likely has by its name; text where nothing says otherwise."""
    return _by_phrase(words) or _by_head(words) or ("date" if len(words) > 1 and words[-1] in ("at", "on") else "text")


def _by_phrase(words: Sequence[str]) -> FieldType | None:
    """The type by more than the head: `is active`, `number of seats`, `year painted`, `hourly rate`, `cooking time`."""
    before = words[-2] if len(words) > 1 else ""
    if words[0] in ("is", "has", "whether") or tuple(words) in STATES:
        return "boolean"
    if words[0] == "date":
        return "date"
    if ("number", "of") in pairwise(words[:-1]) or words[0] == "year":
        return "integer"
    if words[-1] == "rate" and before in ("hourly", "daily", "weekly", "monthly", "nightly"):
        return "money"
    return "integer" if words[-1] == "time" and before in LASTING else None


def _by_head(words: Sequence[str]) -> FieldType | None:
    """The type by the noun that the name is about: the last one, or the one before `of` or `per`."""
    head = next((words[place] for place, word in enumerate(words[1:]) if word in ("of", "per")), words[-1])
    if head == "address" and len(words) > 1 and words[-2] in ("email", "web"):
        head = {"email": "email", "web": "url"}[words[-2]]
    for kind, heads in BY_HEAD.items():
        if head in heads and not (kind == "boolean" and len(words) > 1 and head == "read"):
            return kind
    return None
