"""Ideas of different shape, as people put them."""

IDEAS = {
    "plants": (
        "A small service that keeps track of my houseplants. Every plant has a unique nickname, an optional species, "
        "a height in cm, the date it was bought and whether it is edible. I want to search plants by nickname and "
        "sort them by height."
    ),
    "library": (
        "A library service that tracks books with a title, an author, a unique ISBN, a price and a genre (fiction, "
        "science or poetry), and members with a name and a required unique e-mail. Each loan belongs to a book and to "
        "a member and has a due date."
    ),
    "school": (
        "Build an API for a language school. Students have a name and a required, unique email address. Courses have "
        "a title, a start date and a fee. A student can attend many courses and a course can have many students."
    ),
    "hall": (
        "A calendar for a village hall:\n"
        "- Rooms have a required unique name and a number of seats\n"
        "- Events belong to a room and have a title, a required starting date and time, a website and a status that "
        "is either planned, confirmed or cancelled\n"
        "- Volunteers have a name, an email and a time at which they can start\n"
        "\n"
        "Events can be filtered by status and sorted by title."
    ),
    "invoices": (
        "I need an invoicing backend. A customer has a company name, an e-mail address that must be unique, and a "
        "website. A customer has many invoices. Each invoice has a unique number, a required issue date, an amount, a "
        "status (draft, sent or paid) that defaults to draft, and optional notes. Each invoice has many lines; a line "
        "has a description, a required quantity and a unit price. List the invoices by status, sorted by issue date, "
        "and page through them."
    ),
    "recipes": (
        "Please make a recipe collection. It should store recipes with a title, the number of servings, a vegetarian "
        "flag, a difficulty (one of easy, medium, hard) and a link to the original page. Recipes can have many tags, "
        "and every tag, which has a unique name, can belong to many recipes. Reviews belong to a recipe; a review has "
        "a required text, a rating and the date and time it was written."
    ),
}
