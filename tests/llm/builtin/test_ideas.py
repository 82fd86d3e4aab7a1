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
        "loan: due_date:date, returned:boolean → book!, pupil!",
        "pupil: name!",
    ),
    "the date it was bought": (
        "A small service that keeps track of my houseplants. Every plant has a unique nickname, an optional "
        "species, a height in cm, the date it was bought and whether it is edible. I want to search by "
        "nickname and sort by height.",
        "plants",
        "plant: nickname*, species, height:number, date_bought:date, edible:boolean",
    ),
    "a required, unique e-mail": (
        "Build an API for a language school. Students have a name and a required, unique email address. "
        "Courses have a title, a start date and a fee. A student can attend many courses and a course can "
        "have many students.",
        "language_school",
        "student: name!, email_address:email!* → courses+",
        "course: title!, start_date:date, fee:money",
    ),
    "bullets below a calendar": (
        "A calendar for a village hall:\n- Rooms have a required unique name and a number of seats\n- Events "
        "belong to a room and have a title, a required starting date and time, a website and a status that is "
        "either planned, confirmed or cancelled\n- Volunteers have a name, an email and a time at which they "
        "can start\nEvents can be filtered by status and sorted by title.",
        "calendar_service",
        "room: name!*, number_of_seats:integer",
        "event: title!, starting_date_and_time:datetime!, website:url, status=planned|confirmed|cancelled → room!",
        "volunteer: name!, email:email, start_time:time",
    ),
    "a default behind brackets, and pages": (
        "I need an invoicing backend. A customer has a company name, an e-mail address that must be unique, "
        "and a website. A customer has many invoices. Each invoice has a unique number, a required issue "
        "date, an amount, a status (draft, sent or paid) that defaults to draft, and optional notes. Each "
        "invoice has many lines; a line has a description, a required quantity and a unit price. List the "
        "invoices by status, sorted by issue date, and page through them.",
        "invoicing",
        "customer: company_name, email_address:email*, website:url",
        "invoice: number*, issue_date:date!, amount:money, status=draft|sent|paid, notes → customer",
        "line: description, quantity:integer!, unit_price:money → invoice",
    ),
    "a relative clause": (
        "Please make a recipe collection. It should store recipes with a title, the number of servings, a "
        "vegetarian flag, a difficulty (one of easy, medium, hard) and a link to the original page. Recipes "
        "can have many tags, and every tag, which has a unique name, can belong to many recipes. Reviews "
        "belong to a recipe; a review has a required text, a rating and the date and time it was written.",
        "recipe_collection",
        "recipe: title!, number_of_servings:integer, vegetarian:boolean, difficulty=easy|medium|hard, "
        "original_page_link:url → tags+",
        "tag: name!*",
        "review: text!, rating:number, written_at:datetime → recipe!",
    ),
    "bullets below a list of kinds": (
        "A service that keeps track of rooms, events and volunteers.\n- Rooms have a required unique name and "
        "a number of seats\n- Volunteers have a name and an email",
        "rooms",
        "room: name!*, number_of_seats:integer",
        "event: name!",
        "volunteer: name!, email:email",
    ),
    "bullets below a place": (
        "Keep track of a village hall:\n- rooms (required unique name, number of seats)\n- events (title)\nAn "
        "event belongs to a room.",
        "village_hall",
        "room: name!*, number_of_seats:integer",
        "event: title! → room!",
    ),
    "one of, without or": (
        "Recipes have a title and a difficulty (one of easy, medium, hard).",
        "recipes",
        "recipe: title!, difficulty=easy|medium|hard",
    ),
    "lists in pages": (
        "Books have a title. Lists come in pages.",
        "books",
        "book: title!",
    ),
    "to page through": (
        "Books have a title. I want to page through the books.",
        "books",
        "book: title!",
    ),
    "a heading": (
        "A bookshelf: books have a title and an author.",
        "bookshelf",
        "book: title!, author",
    ),
    "a photo": (
        "Plants have a name, a photo, an image of the leaf, an attachment and when they were last watered.",
        "plants",
        "plant: name!, photo:url, leaf_image:url, attachment:url, date_last_watered:date",
    ),
    "a tweet": (
        "tiny app to track my vinyl records pls: artist, album title, year, condition (mint/good/poor)",
        "vinyl_records",
        "vinyl_record: artist, album_title, year:integer, condition=mint|good|poor",
    ),
    "user stories": (
        "As a librarian I want to record books with a title, an author and an ISBN so that I know what we "
        "own.\nAs a librarian I want to record loans with a due date.\nEach loan belongs to a book.",
        "books",
        "book: title!, author, isbn",
        "loan: due_date:date → book!",
    ),
    "there are": (
        "There are teams and players. A team has a unique name and a city. A player has a name, a position "
        "and a shirt number. Each player belongs to a team.",
        "teams",
        "team: name!*, city",
        "player: name!, position, shirt_number → team!",
    ),
    "which must be unique": (
        "An asset register for a school. Each asset must have a tag number, which must be unique. Each asset "
        "may have a purchase date and a price. Each asset is kept in a room. Rooms have a name and a floor.",
        "asset_register",
        "asset: tag_number!*, purchase_date:date, price:money → room!",
        "room: name!, floor",
    ),
    "a kennel of dogs": (
        "We need a system for our dog kennel. It should store dogs with a name, a breed and a date of birth, "
        "and owners with a name, phone number and email address. Every dog belongs to an owner.",
        "dog_kennel",
        "dog: name!, breed, date_of_birth:date → owner!",
        "owner: name!, phone_number, email_address:email",
    ),
    "for every repair": (
        "We run a bike repair shop. For every repair we record the date, the customer's name, a description "
        "of the problem, the price and whether it has been paid.",
        "bike_repair_shop",
        "repair: date:date, customer_name, problem_description, price:money, paid:boolean",
    ),
    "a numbered list": (
        "Build a service for a music school:\n1. Teachers have a name, an instrument and an hourly rate.\n2. "
        "Pupils have a name, a date of birth and a parent's email.\n3. Lessons have a date, a start time and a "
        "duration in minutes. Each lesson belongs to a teacher and a pupil.",
        "music_school",
        "teacher: name!, instrument, hourly_rate:money",
        "pupil: name!, date_of_birth:date, parent_email:email",
        "lesson: date:date, start_time:time, duration:integer → teacher!, pupil!",
    ),
    "examples": (
        "A wine cellar app. Wines have a name, a region (e.g. Bordeaux), a vintage, a colour, e.g. red or "
        "white, and a number of bottles.",
        "wine_cellar",
        "wine: name!, region, vintage, colour, number_of_bottles:integer",
    ),
    "semicolons": (
        "Keep track of donations; donors have a name and an email; donations have an amount, a date and a "
        "method (cash, card or transfer); each donation belongs to a donor",
        "donations",
        "donation: amount:money, date:date, method=cash|card|transfer → donor!",
        "donor: name!, email:email",
    ),
    "an owner of a field": (
        "A catalogue of paintings with the title, the artist's name, the year it was painted, the colour "
        "palette and its favourite flag. Let me filter the paintings by artist's name and sort them by year.",
        "painting_catalogue",
        "painting: title!, artist_name, year_painted:integer, colour_palette, favourite:boolean",
    ),
    "many at each": (
        "I'd like to organise my film nights. A film night has a date, a host and a theme. Films have a "
        "title, a director, and a running time in minutes. At each film night we can watch many films, and a "
        "film can be watched at many film nights.",
        "film_nights",
        "film_night: date:date, host, theme → films+",
        "film: title!, director, running_time:integer",
    ),
    "a gym has members": (
        "A gym has members and classes. Members can book classes. A class has a name, a weekday, a start time "
        "and a maximum number of participants. A member has a name and a membership number, which is unique.",
        "members",
        "member: name!, membership_number* → classes+",
        "class: name!, weekday, start_time:time, maximum_number_of_participants:integer",
    ),
    "a hire API": (
        "Equipment hire API\n\n* Items: name (required), description (optional), daily rate (money), available "
        "(yes/no)\n* Customers: full name (required), e-mail (required, unique)\n* Hires: start date, end date, "
        "status (booked, out, returned; default booked)\n\nEach hire belongs to an item and a customer.",
        "equipment_hire",
        "item: name!, description, daily_rate:money, available:boolean",
        "customer: full_name!, email:email!*",
        "hire: start_date:date, end_date:date, status=booked|out|returned → item!, customer!",
    ),
    "an eye on plants": (
        "Hi team, we'd like a little tool to keep an eye on our office plants. Each plant has a name, a "
        "location, a watering interval in days and a date last watered.",
        "plants",
        "plant: name!, location, watering_interval:integer, date_last_watered:date",
    ),
    "groups of contacts": (
        "Contacts app. A contact has a first name, a last name, an optional nickname, one e-mail address and "
        "a phone number. Contacts belong to groups.",
        "contacts",
        "contact: first_name, last_name, nickname, email_address:email, phone_number → group!",
        "group: name!",
    ),
    "a library where": (
        "A library where each book must have a title and an author, may have a publisher, and has an ISBN "
        "that must be unique.",
        "library",
        "book: title!, author!, publisher, isbn*",
    ),
    "for each of two kinds": (
        "We need to store suppliers and products. For each supplier we store the company name, the contact "
        "person and the phone number. For each product we store the name, the price and the supplier.",
        "suppliers",
        "supplier: company_name, contact_person, phone_number",
        "product: name!, price:money → supplier",
    ),
    "singular bullets": (
        "Build an events API:\n\n- Event: title (required), starts at (datetime), venue\n- Attendee: name, email "
        "(unique)\n- An attendee can register for many events",
        "events",
        "event: title!, starts_at:datetime, venue",
        "attendee: name!, email:email* → events+",
    ),
    "how many": (
        "Records of bird sightings: species, place, when it was seen, how many birds, and a photo.",
        "bird_sightings",
        "bird_sighting: species, place, date_seen:date, number_of_birds:integer, photo:url",
    ),
    "either open or done": (
        "Todo list with tasks. A task has a title, a due date (optional) and is either open or done.",
        "todo_list",
        "task: title!, due_date:date, status=open|done",
    ),
    "stories with reasons": (
        "As a teacher, I want to keep a list of pupils with a name and a class, so that I can find them "
        "quickly. As a teacher, I want to record marks with a subject, a mark and a date for each pupil.",
        "pupils",
        "pupil: name!, class",
        "mark: subject, mark, date:date → pupil!",
    ),
    "its status": (
        "The system should manage patients and appointments. A patient must have a name and a date of birth. "
        "An appointment must have a date and a time; its status is planned, kept or missed. Every appointment "
        "is for one patient.",
        "patients",
        "patient: name!, date_of_birth:date!",
        "appointment: date:date!, time:time!, status=planned|kept|missed → patient!",
    ),
    "in Python for": (
        "Create a REST API in Python for keeping track of job applications: company (required), role, salary, "
        "applied on (date), status: applied/interviewing/rejected/offered. Make sure that it has tests.",
        "job_applications",
        "job_application: company!, role, salary:money, applied_on:date, status=applied|interviewing|rejected|offered",
    ),
    "a vineyard and a wish to see": (
        "Manage a vineyard: barrels have a number, a volume in litres, a wood type and the year they were "
        "filled. Tastings have a date, a score from 1 to 5 and notes and belong to a barrel. Show me the "
        "barrels sorted by number.",
        "vineyard",
        "barrel: number, volume:number, wood_type, year_filled:integer",
        "tasting: date:date, score=1|2|3|4|5, notes → barrel!",
    ),
    "a list of others": (
        "Books have a title and a list of authors. Authors have a name.",
        "books",
        "book: title! → authors+",
        "author: name!",
    ),
    "their owners and their services": (
        "Keep track of cars (make, model), their owners (name) and their services (date, cost).",
        "cars",
        "car: make, model → owner",
        "owner: name!",
        "service: date:date, cost:money → car",
    ),
    "two resources": (
        "Make an API with two resources: authors (name) and books (title, year). Books belong to authors.",
        "authors",
        "author: name!",
        "book: title!, year:integer → author!",
    ),
    "such as": (
        "Pets have a name, an owner's phone number, a price per night and a species such as cat or dog.",
        "pets",
        "pet: name!, owner_phone_number, price_per_night:money, species",
    ),
    "an app for": (
        "An app for notes.",
        "notes",
        "note: name!",
    ),
    "for each game": (
        "Can you make a database of my board games? For each game: name, publisher, number of players, "
        "playing time and whether I've played it.",
        "game",
        "game: name!, publisher, number_of_players:integer, playing_time:integer, played:boolean",
    ),
    "to register volunteers": (
        "We need a service to register volunteers for our charity. A volunteer has a name, an email, a "
        "telephone number and a list of skills. Skills have a name.",
        "charity",
        "volunteer: name!, email:email, telephone_number → skills+",
        "skill: name!",
    ),
    "unique and required": (
        "Each customer has a name and an address. Each order belongs to exactly one customer and has an order "
        "number, which is unique and required, an order date and a status of new, paid or shipped.",
        "customers",
        "customer: name!, address",
        "order: order_number!*, order_date:date, status=new|paid|shipped → customer!",
    ),
    "sensors and their readings": (
        "The service stores sensors and their readings. A sensor has a name and a location. A reading has a "
        "value, a unit and a timestamp.",
        "sensors",
        "sensor: name!, location",
        "reading: value, unit, timestamp:datetime → sensor",
    ),
    "a film club keeps": (
        "A film club keeps track of screenings. Every screening has a film, a date, a start time and the "
        "number of guests. Films have a title, a director and a year.",
        "film_club",
        "screening: date:date, start_time:time, number_of_guests:integer → film",
        "film: title!, director, year:integer",
    ),
    "square brackets": (
        "Library: books (title, author, ISBN [unique]), members (name, email), loans (book, member, date out, "
        "date due, date returned).",
        "library",
        "book: title!, author, isbn*",
        "member: name!, email:email",
        "loan: date_out:date, date_due:date, date_returned:date → book, member",
    ),
    "a fleet of vans": (
        "Track our fleet of vans. Each van has a registration plate (unique, required), a make, a model, the "
        "mileage, the date of the next MOT and a photo. Each van is driven by a driver; drivers have a name "
        "and a licence number.",
        "vans",
        "van: registration_plate!*, make, model, mileage:number, next_mot_date:date, photo:url → driver!",
        "driver: name!, licence_number",
    ),
    "arrows": (
        "Need: inventory API. Products -> name, sku, price, quantity. Suppliers -> name, email.",
        "inventory",
        "product: name!, sku, price:money, quantity:integer",
        "supplier: name!, email:email",
    ),
    "hives of our association": (
        "We would like to record the bee hives of our association. A hive has a number and a location; an "
        "inspection has a date, a temperament from 1 to 5, whether the queen was seen, and remarks. "
        "Inspections are made of a hive by a beekeeper. Beekeepers have a name.",
        "association",
        "hive: number, location",
        "inspection: date:date, temperament=1|2|3|4|5, queen_seen:boolean, remarks → hive!, beekeeper!",
        "beekeeper: name!",
    ),
    "made by a guest for a flat": (
        "An application to manage the rental of holiday flats. Flats have a name, number of rooms and price "
        "per night. Guests have a first name, last name and e-mail. A booking is made by a guest for a flat "
        "and has an arrival date and a departure date.",
        "flats",
        "flat: name!, number_of_rooms:integer, price_per_night:money",
        "guest: first_name, last_name, email:email",
        "booking: arrival_date:date, departure_date:date → guest!, flat!",
    ),
    "that's all": (
        "Notes with title and text, that's all.",
        "notes",
        "note: title!, text",
    ),
    "fields of, and a default": (
        "Ticket tracker. Fields of a ticket: title, description, severity (1-5), reported by, status (open, "
        "in progress, closed). Default status is open.",
        "ticket_tracker",
        "ticket: title!, description, severity=1|2|3|4|5, reported_by, status=open|in progress|closed",
    ),
    "several are optional": (
        "Please create a simple backend where users can save bookmarks. Every bookmark must have a URL and a "
        "title; a description and tags are optional.",
        "bookmarks",
        "bookmark: url:url!, title!, description, tags",
    ),
    "a co-op": (
        "We're a housing co-op. We need to log maintenance requests. Each request has a title, a description, "
        "a flat number, a priority of low, normal or high, and the date it was reported. Requests are "
        "assigned to a contractor. Contractors have a name and a phone number.",
        "housing_co_op",
        "request: title!, description, flat_number, priority=low|normal|high, date_reported:date → contractor!",
        "contractor: name!, phone_number",
    ),
    "a brewery": (
        "I would like a small web service which helps me to manage my home brewery. A brew has a name, a "
        "style, an original gravity, a brewing date and tasting notes.",
        "home_brewery",
        "brew: name!, style, original_gravity, brewing_date:date, tasting_notes",
    ),
    "plurals behind a title": (
        "Simple CRM: companies, contacts and deals. A contact works for a company. A deal has a value and a "
        "stage (lead, offer, won, lost) and belongs to a company.",
        "crm",
        "company: name!",
        "contact: name! → company!",
        "deal: value, stage=lead|offer|won|lost → company!",
    ),
    "in which": (
        "A classroom inventory in which every item has a name, a condition (new, used, broken) and a quantity "
        "that is required.",
        "classroom_inventory",
        "item: name!, condition=new|used|broken, quantity:integer!",
    ),
    "a wrapped text": (
        "Books have a title, an author, a price and a genre that is one of\nfiction, science or poetry. Each "
        "book is kept on one shelf and the shelves\nhave a unique number.",
        "books",
        "book: title!, author, price:money, genre=fiction|science|poetry → shelf!",
        "shelf: number*",
    ),
    "units as names": (
        "I need to log fuel: date, litres, price per litre, odometer reading.",
        "fuels",
        "fuel: date:date, litres:number, price_per_litre:money, odometer_reading",
    ),
    "their employees have": (
        "Companies have a name. Their employees have a name and a job title.",
        "companies",
        "company: name!",
        "employee: name!, job_title → company",
    ),
    "when planted": (
        "Keep records about trees: species, height in metres, diameter in cm, when planted, coordinates.",
        "trees",
        "tree: species, height:number, diameter:number, date_planted:date, coordinates",
    ),
    "books to add": (
        "As a user I can add books with a title and an author. As a user I can delete books.",
        "books",
        "book: title!, author",
    ),
    "whether they have": (
        "Hotels have rooms. Rooms have a number, a price per night and whether they have a balcony.",
        "hotels",
        "hotel: name!",
        "room: number, price_per_night:money, has_balcony:boolean → hotel",
    ),
    "optionally": (
        "Tasks have a title, a due date and, optionally, notes.",
        "tasks",
        "task: title!, due_date:date, notes",
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
    "Our club keeps records of minutes of meetings. A meeting has a date.": "minutes of meetings",
    "As well as films, I want to track books with a title.": "films, I want",
    "As a service that tracks books I want members. Members have a name.": "As a service",
    "Recipes have a title and a colour such as red, white and blue.": "red, white and blue",
    "Plants have a name and photos.": "photos",
    "Plants have a name and how often they need water.": "how often",
    "Movies have a title and a rating out of 10.": "out of 10",
    "Books have a title. Every lists.": "Every lists",
    "Books have a title. Lists come by post.": "come",
    "Books have a title. There should be a search box with lights.": "search box",
    "As a reader I want to see books so that it rains. Books have a title and they glow.": "they glow",
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


LETTER = """Hello,

Could you please build us a small service for our allotment society? We have members (name, e-mail, phone) and plots
(a unique number, size in square metres). Each plot is rented by one member.

Many thanks,
Sarah"""


def test_greetings_thanks_and_signatures_ask_for_nothing() -> None:
    assert [shown(kind) for kind in read(LETTER).records] == [
        "member: name!, email:email, phone",
        "plot: number*, size:number → member!",
    ]


@pytest.mark.parametrize("demand", ["Make it glow.", "The plots are on the moon."])
def test_what_stands_between_greeting_and_signature_is_read(demand: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        read(LETTER.replace("Many thanks", f"{demand}\n\nMany thanks"))

    assert demand.rstrip(".").split()[-1] in refusal.value.problem


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
    ("idea", "assumed"),
    [
        ("Plants have a name and a photo.", "URL of a photo that is kept elsewhere"),
        ("Keep track of houseplants. Every plant has a name.", "houseplants are the plants"),
        ("A gym has members and classes. Members have a name. Classes have a name.", "the gym is where"),
        ("As a reader I want to record books so that I remember them.", "taken as a reason"),
        ("Contacts belong to groups. Contacts have a name.", "each contact has one group"),
        ("Bookmarks: url, title, tags.", "tags of bookmark is one text"),
        ("Films have a title and a running time.", "a number of minutes"),
        ("Tasks have a title. A task is open or done.", "is a field status"),
    ],
)
def test_a_reading_that_could_have_been_another_is_said(idea: str, assumed: str) -> None:
    assert any(assumed in assumption for assumption in read(idea).assumptions)


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
