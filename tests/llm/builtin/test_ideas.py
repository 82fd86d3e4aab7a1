"""What the built-in model understands of ideas, and which part it names where it does not.

A kind is written `book: title!, isbn*, price:money, genre=fiction|poetry → author!, tags+`: `!` is required,
`*` unique, a field without a type is text, and behind the arrow are links (`+` many-to-many).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.v1.projects import FieldSpec, Link, RecordKind
from workers.llm.builtin.idea.reading import read
from workers.llm.builtin.idea.unreadable import Unreadable

UNDERSTOOD = {
    "brackets": (
        "Build a library service that tracks books (title, author, ISBN unique, price as money, published date, "
        "genre: fiction/non-fiction/poetry) and members with a required e-mail; a member can borrow many books",
        "library",
        "book: title!, author, isbn*, price:money, published_date:date, genre=fiction|non-fiction|poetry → member",
        "member: email:email!",
    ),
    "keep track of": (
        "I want to keep track of my plants: each plant has a name, a species, a date bought and whether it is alive. "
        "Each plant belongs to a room. A plant has many waterings; waterings have a date and an amount in ml (number).",
        "plants",
        "plant: name!, species, date_bought:date, alive:boolean → room!",
        "watering: date:date, amount:number → plant",
        "room: name!",
    ),
    "title with colon": (
        "a recipe box: recipes have a name, servings, cooking time in minutes and instructions; "
        "each recipe belongs to a category; recipes can have many tags",
        "recipe_box",
        "recipe: name!, servings:integer, cooking_time:integer, instructions → category!, tags+",
        "tag: name!",
        "category: name!",
    ),
    "audience": (
        "An inventory app for my workshop that tracks tools with a name, quantity, price in euros, and condition "
        "(new, good or worn), and suppliers with name, website and e-mail. Each tool belongs to a supplier.",
        "inventory",
        "tool: name!, quantity:integer, price:money, condition=new|good|worn → supplier!",
        "supplier: name!, website:url, email:email",
    ),
    "bullets below a request": (
        "Build a shop service with:\n- products (name, SKU unique, price, in stock yes/no)\n"
        "- customers: name, e-mail (required, unique), phone number\n"
        "- orders with a date, status (open, paid or shipped, defaults to open)\n"
        "Each order belongs to a customer. Orders and products are many-to-many.",
        "shop",
        "product: name!, sku*, price:money, in_stock:boolean",
        "customer: name!, email:email!*, phone_number",
        "order: date:date, status=open|paid|shipped → customer!, products+",
    ),
    "bullets below a kind": (
        "Books have:\n- title\n- author\n- ISBN (must be unique)",
        "books",
        "book: title!, author, isbn*",
    ),
    "sentences and wishes": (
        "Build a task tracker. Tasks have a title, a description, a due date, a priority (low, medium or high) and a "
        "status that is open, done or cancelled. The status defaults to open. Each task belongs to a project. "
        "Projects have a unique name. I can filter tasks by status, sort by due date and search by title.",
        "task_tracker",
        "task: title!, description, due_date:date, priority=low|medium|high, status=open|done|cancelled → project!",
        "project: name!*",
    ),
    "many-to-many by its verb": (
        "Keep records of students and courses. Students have a name and a unique email. Courses have a title, a start "
        "date, an end date and credits (integer). A student can attend many courses.",
        "students",
        "student: name!, email:email* → courses+",
        "course: title!, start_date:date, end_date:date, credits:integer",
    ),
    "loans of books to members": (
        "Build me a service for tracking loans of books to members with a due date and books with a title "
        "and members with a name",
        "loans",
        "loan: due_date:date → book!, member!",
        "book: title!",
        "member: name!",
    ),
    "what is done anyway": (
        "Please build a movie catalogue in Python with SQLite. Movies: title, year, rating (1 to 5), watched yes/no, "
        "genre. Directors: name, country. Each movie has a director.",
        "movie_catalogue",
        "movie: title!, year:integer, rating=1|2|3|4|5, watched:boolean, genre → director",
        "director: name!, country",
    ),
    "three kinds": (
        "Build a conference planner that manages talks, speakers and rooms. A talk has a title, a start time and a "
        "duration in minutes. A speaker has a name, a bio (optional) and a website. A room has a name (unique) and a "
        "capacity. Each talk takes place in a room. Talks and speakers are many-to-many.",
        "conference_planner",
        "talk: title!, start_time:time, duration:integer → room!, speakers+",
        "speaker: name!, bio, website:url",
        "room: name!*, capacity:integer",
    ),
    "verbs without a subject": (
        "Build a service to manage a vet clinic. Owners have a name, phone and e-mail. Pets have a name, a species "
        "(dog, cat, bird or other), a birth date and belong to an owner. Visits have a date, a reason, a cost and "
        "belong to a pet.",
        "vet_clinic",
        "owner: name!, phone, email:email",
        "pet: name!, species=dog|cat|bird|other, birth_date:date → owner!",
        "visit: date:date, reason, cost:money → pet!",
    ),
    "one kind": (
        "I'd like an address book: contacts with first name, last name, e-mail (unique), phone number, birthday "
        "and website.",
        "address_book",
        "contact: first_name, last_name, email:email*, phone_number, birthday:date, website:url",
    ),
    "written by": (
        "Create an API for a blog. Posts have a title, body text, published date and a status (draft or published, "
        "default draft). Authors have a name and a unique e-mail. Each post is written by one author. "
        "Posts can have many tags.",
        "blog",
        "post: title!, body_text, published_date:date, status=draft|published → author!, tags+",
        "author: name!, email:email*",
        "tag: name!",
    ),
    "one-to-many from the one side": (
        "We need a simple inventory system that stores products and warehouses. Every product has a name, a unique "
        "SKU, a price and a quantity. Every warehouse has a name and a city. A warehouse has many products.",
        "inventory",
        "product: name!, sku*, price:money, quantity:integer → warehouse",
        "warehouse: name!, city",
    ),
    "whether": (
        "Please write a small app that keeps track of my book collection: each book has a title, an author, a rating "
        "from 1 to 5, and whether I have read it.",
        "books",
        "book: title!, author, rating=1|2|3|4|5, read:boolean",
    ),
    "search, filter and sort": (
        "Build a music library. Artists have a name and a country. Albums have a title, a release year and a genre "
        "(rock, jazz, pop or classical). Each album belongs to an artist. Songs have a title, a duration in seconds "
        "and belong to an album. Search songs by title, filter albums by genre and sort albums by release year.",
        "music_library",
        "artist: name!, country",
        "album: title!, release_year:integer, genre=rock|jazz|pop|classical → artist!",
        "song: title!, duration:integer → album!",
    ),
    "prepositions": (
        "A booking system for meeting rooms. Rooms have a name (unique), a capacity and a projector (yes/no). Bookings "
        "have a date, a start time, an end time and a purpose. Each booking is for one room and is made by an "
        "employee. Employees have a name and an e-mail.",
        "booking",
        "room: name!*, capacity:integer, projector:boolean",
        "booking: date:date, start_time:time, end_time:time, purpose → room!, employee!",
        "employee: name!, email:email",
    ),
    "a thing and its tracker": ("Make a habit tracker", "habit_tracker", "habit: name!"),
    "qualities behind names": (
        "Build a garden journal that records plants (name required, species optional, planted date) and harvests with "
        "date, weight in kg and notes; each harvest belongs to a plant.",
        "garden_journal",
        "plant: name!, species, planted_date:date",
        "harvest: date:date, weight:number, notes → plant!",
    ),
    "one of": (
        "Build a job application tracker. An application has a company, a position, a salary, an applied date, a URL "
        "and a status which is one of applied, interview, offer or rejected. The status defaults to applied. "
        "The company is required.",
        "job_application_tracker",
        "application: company!, position, salary:money, applied_date:date, url:url, "
        "status=applied|interview|offer|rejected",
    ),
    "accents": (
        "I want to keep track of wines: name, vintage year, region, colour (red/white/rosé), price in euros, "
        "rating (number), tasting notes",
        "wines",
        "wine: name!, vintage_year:integer, region, colour=red|white|rosé, price:money, rating:number, tasting_notes",
    ),
    "a plural like its singular": (
        "Build an equipment lending service where members can borrow equipment. Members have a name and an e-mail. "
        "Equipment has a name, a serial number that must be unique and a condition (good, fair or poor).",
        "equipment_lending",
        "member: name!, email:email",
        "equipment: name!, serial_number*, condition=good|fair|poor → member",
    ),
    "a keyword as a kind": (
        "A school register with students (name, date of birth, e-mail), classes (name, room) and teachers (name, "
        "subject). Each class belongs to a teacher. Students and classes are many-to-many. Pages of 20, search "
        "students by name.",
        "school_register",
        "student: name!, date_of_birth:date, email:email → classes+",
        "class: name!, room → teacher!",
        "teacher: name!, subject",
    ),
    "actions": (
        "Build a CRM for a small business with companies (name, website, industry) and contacts (name, email required, "
        "phone). Each contact belongs to a company. Users can create, read, update and delete contacts, and filter "
        "them by company.",
        "crm",
        "company: name!, website:url, industry",
        "contact: name!, email:email!, phone → company!",
    ),
    "rules about fields": (
        "Build an order system. Customers have a name. Orders have an order date and a total as money. Each order "
        "belongs to a customer. Order lines have a quantity and a unit price and belong to an order and a product. "
        "Products have a name and a price. A product's name must be unique.",
        "order",
        "customer: name!",
        "order: order_date:date, total:money → customer!",
        "order_line: quantity:integer, unit_price:money → order!, product!",
        "product: name!*, price:money",
    ),
    "two links to one kind": (
        "Make an app for teams and players. Each player belongs to a team. Each match has a home team, an away team, "
        "a date and a score.",
        "teams",
        "team: name!",
        "player: name! → team!",
        "match: date:date, score:number → home_team, away_team",
    ),
    "a kind that refers to itself": (
        "Each category can have a parent category. Categories have a name (unique). Products belong to a category and "
        "have a name and a price.",
        "categories",
        "category: name!* → parent_category",
        "product: name!, price:money → category!",
    ),
    "many from both sides": (
        "A recipe has a title, ingredients (text), instructions and a preparation time in minutes. A recipe can have "
        "several tags and a tag can belong to many recipes.",
        "recipes",
        "recipe: title!, ingredients, instructions, preparation_time:integer → tags+",
        "tag: name!",
    ),
    "adjectives of a kind": (
        "Build a service for managing parking permits. Permits have a number, a vehicle plate and an expiry date.",
        "permits",
        "permit: number, vehicle_plate, expiry_date:date",
    ),
    "verbs with particles": (
        "We want a volunteer database. Volunteers have a full name, an email address that must be unique and a phone "
        "number. Shifts have a date, a start and end time and a location. Volunteers can sign up for many shifts.",
        "volunteer",
        "volunteer: full_name, email_address:email*, phone_number → shifts+",
        "shift: date:date, start_time:time, end_time:time, location",
    ),
    "is something": (
        "Keep track of cats: name (required), breed, birthday, weight in kg, is vaccinated (yes/no).",
        "cats",
        "cat: name!, breed, birthday:date, weight:number, is_vaccinated:boolean",
    ),
    "no fields at all": (
        "Build a library service that tracks books and members.",
        "library",
        "book: title!",
        "member: name!",
    ),
    "each with": (
        "I need a catalogue of paintings, each with a title, artist, year and an image url",
        "painting_catalogue",
        "painting: title!, artist, year:integer, image_url:url",
    ),
    "it should also": (
        "Build a library service for our school. It tracks books with a title (required), author and ISBN. It should "
        "also keep track of loans with a due date and a returned flag. Each loan belongs to a book and a pupil. "
        "Pupils have a name.",
        "library",
        "book: title!, author, isbn",
        "loan: due_date:date, returned_flag:boolean → book!, pupil!",
        "pupil: name!",
    ),
}

NOT_UNDERSTOOD = {
    "": "empty",
    "   \n ": "empty",
    "!!! ???": "no words",
    "Build a real-time multiplayer game": "real-time multiplayer game",
    "Build a service that tracks customers with a name and sends e-mails every night": "sends e-mails every night",
    "An online shop for shoes with payments with Stripe and a React front end": "payments with Stripe",
    "Build a shop that tracks shoes (name, price) with a React front end": "a React front end",
    "Ich möchte eine Liste von Büchern mit Titel und Autor": "does not seem to be English",
    "在这里记录我的书": "does not seem to be English",
    "Build a world peace": "a world peace",
    "Build a chess engine": "a chess engine",
    "Write a compiler for a toy language": "a compiler",
    "Build me a website that looks nice": "a website",
    "asdf qwer zxcv": "asdf qwer zxcv",
    "Keep track of which member borrowed which book and when": "which member borrowed which book",
    "Build a service that tracks books. Each book has a title. The title must be unique. The title is not unique.": (
        "The title is not unique"
    ),
    "Build a zoo service that tracks animals (name), keepers (name), cages (name), feeds (name), vets (name), "
    "visitors (name) and tickets (name).": "7 kinds of things",
    "A book has an author and an author has a book. Authors have a name.": "contradicts",
    "Track tasks with a title and a due date. Send me a reminder the day before.": "Send me a reminder the day before",
    "Please build a service that stores customers, with a login page for admins": "a login page for admins",
    "Build a garage service: tickets have an entry time and a fee; calculate the fee automatically": (
        "calculate the fee automatically"
    ),
    "Track movies with title and year. Movies must have a title of at most 100 characters.": "at most 100 characters",
    "Track books with a title and a rating (0 to 100)": "0 to 100",
    "Track tasks with a title and a status (open or done, defaults to late)": "late",
    "Track tasks with a title. Sort tasks by colour.": "colour",
    "Each book belongs to a shelf. Each shelf belongs to a book.": "contradicts",
    "Build a service": "does not say what",
    "Track books with a title. The moon is made of cheese.": "The moon is made of cheese",
    "Build a service that tracks " + "books and " * 700: "characters",
}


def shown(kind: RecordKind) -> str:
    links = ", ".join(shown_link(link) for link in kind.links)
    return f"{kind.name}: {', '.join(shown_field(spec) for spec in kind.fields)}" + (f" → {links}" if links else "")


def shown_field(spec: FieldSpec) -> str:
    kind = "" if spec.type == "text" else f"={'|'.join(spec.choices)}" if spec.choices else f":{spec.type}"
    return spec.name + kind + "!" * spec.required + "*" * spec.unique


def shown_link(link: Link) -> str:
    return link.name + ("+" if link.many else "!" * link.required)


@pytest.mark.parametrize("case", UNDERSTOOD)
def test_an_idea_becomes_its_kinds_fields_and_links(case: str) -> None:
    idea, package, *kinds = UNDERSTOOD[case]

    reading = read(idea)

    assert [shown(kind) for kind in reading.records] == list(kinds)
    assert reading.package == package


@pytest.mark.parametrize("idea", NOT_UNDERSTOOD)
def test_what_can_not_be_read_is_named(idea: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(idea)

    assert NOT_UNDERSTOOD[idea] in refusal.value.problem
    assert refusal.value.suggestion


@pytest.mark.parametrize("case", UNDERSTOOD)
@pytest.mark.parametrize("demand", ["It must glow in the dark.", "Every record is sent to the moon", "Also, sing."])
def test_no_stated_part_is_dropped(case: str, demand: str) -> None:
    idea = UNDERSTOOD[case][0].rstrip(".")
    if "\n- " in idea and idea.split("\n")[-1].startswith("-"):
        idea += "\n"

    with pytest.raises(Unreadable) as refusal:
        read(f"{idea}. {demand}")

    assert any(word in refusal.value.problem for word in ("glow", "moon", "sing"))


def test_defaults_are_read_as_the_field_has_them() -> None:
    reading = read(
        "Track orders with a quantity (defaults to 1), a price (default 2.5), paid (yes/no, defaults to yes) "
        "and a status (New or Sent, defaults to new)"
    )

    assert {spec.name: spec.default for spec in reading.records[0].fields} == {
        "quantity": "1",
        "price": "2.50",
        "paid": "true",
        "status": "New",
    }


def test_what_had_to_be_assumed_is_said() -> None:
    reading = read("Track authors with a name and books with a title. An author has many books. A book has a shelf.")

    assert any("many books" in assumption and "one-to-many" in assumption for assumption in reading.assumptions)


@pytest.mark.parametrize(
    "idea", ["Build a calendar service that tracks events with a title", "Test service: tests have a name"]
)
def test_a_package_hides_no_module_of_python(idea: str) -> None:
    assert read(idea).package.endswith("_service")


VOCABULARY = """
    a service that tracks books with title author ( ) , . : / and or each book has belongs to many members can
    borrow unique required is must be status open done defaults of in as money date yes no which search by filter
    my one price name 1 's ; - whether it their have are many-to-many between from
"""
WORDS = st.sampled_from(VOCABULARY.split())


@given(st.lists(WORDS, max_size=30))
def test_any_words_are_read_or_refused(words):
    idea = " ".join(["Build a service that tracks books with a title", *words])
    try:
        assert read(idea).records
    except Unreadable as unreadable:
        assert unreadable.problem


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    try:
        assert read(text).records
    except Unreadable as unreadable:
        assert unreadable.problem
