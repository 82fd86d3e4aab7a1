"""Ideas of different shape, as people put them."""

IDEAS = {
    "plants": (
        "A small service that keeps track of my plants. Every plant has a unique nickname, an optional species, a "
        "height in cm, the date of purchase and whether it is edible. I want to search plants by nickname and sort "
        "them by height."
    ),
    "library": (
        "A library service that tracks books with a title, an author, a unique ISBN, a price and a genre (fiction, "
        "science or poetry), and members with a name and a required unique e-mail. Each loan belongs to a book and to "
        "a member and has a due date."
    ),
    "school": (
        "Build an API for a language school. Students have a name and a required unique email address. Courses have "
        "a title, a start date and a fee. A student can attend many courses and a course can have many students."
    ),
    "hall": (
        "Keep track of:\n"
        "- rooms: a required unique name, a number of seats\n"
        "- events: title, starts at (date and time, required), website, status (planned, confirmed or cancelled)\n"
        "- volunteers: name, email, earliest time\n"
        "Each event belongs to a room. Filter events by status and sort them by title."
    ),
    "invoices": (
        "I need an invoicing backend. A customer has a company name, an e-mail address that must be unique, and a "
        "website. A customer has many invoices. Each invoice has a unique number, a required issue date, an amount, a "
        "status (draft, sent or paid, default draft) and optional notes. Each invoice has many lines; a line has a "
        "description, a required quantity and a unit price. Invoices can be filtered by status and sorted by issue "
        "date, with pages."
    ),
    "recipes": (
        "A recipe collection stores recipes with a title, the number of servings, whether it is vegetarian, a "
        "difficulty (easy, medium or hard) and a link. Recipes can have many tags. A tag has a unique name. Reviews "
        "belong to a recipe; a review has a required text, a rating and a timestamp."
    ),
}
