"""The server of each project, started as its manifest says and used over HTTP; what it must do is written by hand."""

import pytest

pytestmark = pytest.mark.slow


class TestPlants:
    """One kind of thing."""

    @pytest.fixture
    def plants(self, serve):
        return serve("plants")

    def test_a_record_lives_from_its_creation_to_its_deletion(self, plants):
        fern = plants.create("/plants", nickname="Fern", height=32.5, date_of_purchase="2026-03-01", edible=False)
        path = f"/plants/{fern['id']}"
        assert plants("GET", path).body == fern
        assert (fern["nickname"], fern["species"], fern["height"]) == ("Fern", None, 32.5)
        grown = plants("PATCH", path, {"height": 40})
        assert grown.status == 200
        assert (grown.body["height"], grown.body["nickname"], grown.body["edible"]) == (40, "Fern", False)
        replaced = plants("PUT", path, {"nickname": "Frond", "species": "Nephrolepis"})
        assert replaced.status == 200
        assert (replaced.body["nickname"], replaced.body["height"]) == ("Frond", None), "PUT leaves nothing of before"
        assert plants("GET", path).body == replaced.body
        gone = plants("DELETE", path)
        assert (gone.status, gone.body) == (204, None)
        for method in ("GET", "DELETE"):
            assert plants(method, path).status == 404

    def test_what_does_not_fit_is_refused_and_named(self, plants):
        bad = {"nickname": 7, "height": "tall", "date_of_purchase": "2026-02-30", "edible": "no", "colour": "green"}
        refused = plants("POST", "/plants", bad)
        assert (refused.status, refused.named) == (422, set(bad))
        kept = plants.create("/plants", nickname="Basil")
        again = plants("PATCH", f"/plants/{kept['id']}", {"height": True})
        assert (again.status, again.named) == (422, {"height"})
        assert plants("POST", "/plants", b"{nickname").status == 400
        assert plants("POST", "/plants", [1]).status == 422
        assert plants("GET", "/plants/first").status == 404
        assert plants("PATCH", "/plants", {}).status == 405
        assert plants("GET", "/plants").body["total"] == 1

    def test_a_nickname_is_taken_once(self, plants):
        plants.create("/plants", nickname="Basil")
        other = plants.create("/plants", nickname="Sage")
        for refused in (
            plants("POST", "/plants", {"nickname": "Basil"}),
            plants("PATCH", f"/plants/{other['id']}", {"nickname": "Basil"}),
        ):
            assert (refused.status, refused.named) == (409, {"nickname"})

    def test_listings_are_searched_sorted_filtered_and_paged(self, plants):
        for nickname, height in (("Big Basil", 50), ("Sage", 70), ("Small basil", 10), ("Mint", 30)):
            plants.create("/plants", nickname=nickname, height=height, edible=nickname != "Sage")
        assert plants.ids("/plants", q="basil") == [1, 3]
        assert plants.ids("/plants", sort="height") == [3, 4, 1, 2]
        assert plants.ids("/plants", sort="-height", page_size=2, page=2) == [4, 3]
        assert plants.ids("/plants", edible="false") == [2]
        assert plants("GET", "/plants", q="basil", page_size=1).body["total"] == 2
        for query in ({"sort": "taste"}, {"page": 0}, {"page_size": "all"}, {"edible": "maybe"}, {"colour": "green"}):
            refused = plants("GET", "/plants", **query)
            assert (refused.status, refused.named) == (400, set(query))

    def test_a_restart_keeps_what_was_stored(self, plants):
        fern = plants.create("/plants", nickname="Fern", height=32.5, date_of_purchase="2026-03-01")
        plants.restart()
        assert plants("GET", f"/plants/{fern['id']}").body == fern
        assert plants("POST", "/plants", {"nickname": "Fern"}).status == 409
        assert plants.create("/plants", nickname="Mint")["id"] == fern["id"] + 1


class TestLibrary:
    """Three kinds; one belongs to both of the others."""

    @pytest.fixture
    def library(self, serve):
        return serve("library")

    def test_a_loan_joins_a_book_and_a_member(self, library):
        book = library.create("/books", title="Dune", author="Herbert", isbn="1", price="12.50", genre="fiction")
        other = library.create("/books", title="Odes")
        member = library.create("/members", name="Ada", email="ada@example.org")
        loan = library.create("/loans", book_id=book["id"], member_id=member["id"], due_date="2026-12-24")
        library.create("/loans", book_id=other["id"], member_id=member["id"])
        assert book["price"] == "12.50"
        assert library.ids("/loans", book_id=book["id"]) == [loan["id"]]
        assert library.ids(f"/books/{book['id']}/loans") == [loan["id"]]
        assert library.ids(f"/members/{member['id']}/loans", sort="-id") == [2, 1]
        assert library("DELETE", f"/books/{book['id']}").status == 409, "a loan still refers to it"
        assert library("DELETE", f"/loans/{loan['id']}").status == 204
        assert library("DELETE", f"/books/{book['id']}").status == 204
        assert library("GET", f"/books/{book['id']}/loans").status == 404

    def test_what_does_not_fit_is_refused_and_named(self, library):
        refused = library("POST", "/loans", {"book_id": 77, "member_id": 78})
        assert refused.status == 422 and refused.named == {"book_id", "member_id"}
        assert library("POST", "/loans", {"due_date": "2026-12-24"}).named == {"book_id", "member_id"}
        for field, value in (("price", "12.505"), ("price", "cheap"), ("genre", "crime"), ("title", " ")):
            refused = library("POST", "/books", {"title": "Dune", field: value})
            assert (refused.status, refused.named) == (422, {field}), value
        assert library("POST", "/members", {"name": "Ada"}).named == {"email"}, "it is required"
        assert library("POST", "/members", {"name": "Ada", "email": "ada"}).named == {"email"}

    def test_isbn_and_email_are_taken_once(self, library):
        library.create("/books", title="Dune", isbn="1")
        assert library("POST", "/books", {"title": "Odes", "isbn": "1"}).named == {"isbn"}
        library.create("/books", title="Odes")
        library.create("/books", title="Emma")
        library.create("/members", name="Ada", email="ada@example.org")
        taken = library("POST", "/members", {"name": "Bob", "email": "ada@example.org"})
        assert (taken.status, taken.named) == (409, {"email"})

    def test_a_restart_keeps_loans_with_both_ends(self, library):
        book, member = library.create("/books", title="Dune"), library.create("/members", name="A", email="a@b.org")
        loan = library.create("/loans", book_id=book["id"], member_id=member["id"])
        library.restart()
        assert library.ids(f"/books/{book['id']}/loans") == [loan["id"]]
        assert library("DELETE", f"/members/{member['id']}").status == 409


class TestSchool:
    """Many to many."""

    @pytest.fixture
    def school(self, serve):
        return serve("school")

    def test_students_and_courses_find_each_other(self, school):
        ada, bob = (school.create("/students", name=name, email_address=f"{name}@b.org") for name in ("ada", "bob"))
        latin = school.create("/courses", title="Latin", start_date="2027-01-10", fee="99.90")
        greek = school.create("/courses", title="Greek", fee=80)
        assert greek["fee"] == "80.00"
        for student, course in ((ada, latin), (ada, greek), (bob, greek)):
            link = f"/students/{student['id']}/courses/{course['id']}"
            assert (school("PUT", link).status, school("PUT", link).status) == (204, 204), "twice is once"
        assert school.ids(f"/students/{ada['id']}/courses", sort="title") == [greek["id"], latin["id"]]
        assert school.ids(f"/courses/{greek['id']}/students") == [ada["id"], bob["id"]]
        school.restart()
        assert school("DELETE", f"/students/{ada['id']}/courses/{greek['id']}").status == 204
        assert school("DELETE", f"/students/{ada['id']}/courses/{greek['id']}").status == 404
        assert school.ids(f"/courses/{greek['id']}/students") == [bob["id"]]
        assert school("PUT", f"/students/{ada['id']}/courses/99").status == 404

    def test_what_does_not_fit_is_refused_and_named(self, school):
        refused = school("POST", "/courses", {"title": "Latin", "fee": -1, "start_date": "10.01.2027"})
        assert (refused.status, refused.named) == (422, {"fee", "start_date"})
        assert school("POST", "/students", {"name": "Ada"}).named == {"email_address"}
        school.create("/students", name="Ada", email_address="a@b.org")
        assert school("POST", "/students", {"name": "Bob", "email_address": "a@b.org"}).status == 409


class TestHall:
    """Bullets; date with time, time of day, web address, choice."""

    @pytest.fixture
    def hall(self, serve):
        return serve("hall")

    def test_events_take_place_in_rooms(self, hall):
        room = hall.create("/rooms", name="Blue", number_of_seats=40)
        dance = hall.create(
            "/events", title="Dance", starts_at="2027-05-01T20:00:00+02:00", website="https://example.org/dance",
            status="planned", room_id=room["id"],
        )  # fmt: skip
        choir = hall.create("/events", title="Choir", starts_at="2027-05-02T18:30:00Z", room_id=room["id"])
        assert dance["starts_at"] == "2027-05-01T18:00:00Z"
        assert hall.ids("/events", sort="title") == [choir["id"], dance["id"]]
        assert hall("PATCH", f"/events/{choir['id']}", {"status": "confirmed"}).status == 200
        assert hall.ids("/events", status="confirmed") == [choir["id"]]
        assert hall.ids(f"/rooms/{room['id']}/events", sort="-starts_at") == [choir["id"], dance["id"]]
        helper = hall.create("/volunteers", name="Ada", email="ada@example.org", earliest_time="18:30")
        hall.restart()
        assert hall("GET", f"/volunteers/{helper['id']}").body == helper
        assert hall("GET", f"/events/{dance['id']}").body == dance

    def test_what_does_not_fit_is_refused_and_named(self, hall):
        bad = {"title": "Dance", "starts_at": "tomorrow", "website": "example", "status": "maybe", "room_id": 9}
        assert hall("POST", "/events", bad).named >= {"starts_at", "website", "status"}
        assert hall("POST", "/volunteers", {"name": "Ada", "earliest_time": "25:00"}).named == {"earliest_time"}
        assert hall("POST", "/rooms", {"number_of_seats": 4}).named == {"name"}
        assert hall("POST", "/rooms", {"name": "Blue", "number_of_seats": 4.5}).named == {"number_of_seats"}
        hall.create("/rooms", name="Blue")
        assert hall("POST", "/rooms", {"name": "Blue"}).status == 409


class TestInvoices:
    """A chain of one-to-many; a default; filters, order and pages that were asked for."""

    @pytest.fixture
    def invoices(self, serve):
        return serve("invoices")

    def test_customers_have_invoices_and_invoices_have_lines(self, invoices):
        acme = invoices.create("/customers", company_name="Acme", email_address="a@acme.org")
        first = invoices.create(
            "/invoices", number="R1", issue_date="2026-01-31", amount="19.99", customer_id=acme["id"]
        )
        assert (first["status"], first["notes"]) == ("draft", None)
        line = invoices.create("/lines", description="Nails", quantity=3, unit_price="0.05", invoice_id=first["id"])
        assert invoices.ids(f"/customers/{acme['id']}/invoices") == [first["id"]]
        assert invoices.ids(f"/invoices/{first['id']}/lines") == [line["id"]]
        assert invoices("DELETE", f"/invoices/{first['id']}").status == 409
        invoices.restart()
        assert invoices("GET", f"/lines/{line['id']}").body == line

    def test_they_are_filtered_sorted_and_paged(self, invoices):
        for day in (17, 3, 25, 9, 12):
            status = "paid" if day % 3 == 0 else "sent"
            invoices.create("/invoices", number=f"R{day}", issue_date=f"2026-01-{day:02}", status=status)
        first = invoices("GET", "/invoices", sort="-issue_date", page_size=2)
        assert [record["number"] for record in first.body["items"]] == ["R25", "R17"]
        assert (first.body["total"], first.body["page"], first.body["page_size"]) == (5, 1, 2)
        assert len(invoices.ids("/invoices", page_size=2, page=3)) == 1
        paid = invoices("GET", "/invoices", status="paid", sort="issue_date").body["items"]
        assert [record["number"] for record in paid] == ["R3", "R9", "R12"]

    def test_what_does_not_fit_is_refused_and_named(self, invoices):
        refused = invoices("POST", "/invoices", {"number": "R1", "amount": "1,50", "status": "open"})
        assert (refused.status, refused.named) == (422, {"issue_date", "amount", "status"})
        assert invoices("POST", "/lines", {"quantity": "three"}).named == {"quantity"}
        invoices.create("/invoices", number="R1", issue_date="2026-01-31")
        taken = invoices("POST", "/invoices", {"number": "R1", "issue_date": "2026-02-01"})
        assert (taken.status, taken.named) == (409, {"number"})


class TestRecipes:
    """Many-to-many and one-to-many side by side; yes or no, numbers, links, moments."""

    @pytest.fixture
    def recipes(self, serve):
        return serve("recipes")

    def test_recipes_have_tags_and_reviews(self, recipes):
        soup = recipes.create(
            "/recipes", title="Soup", number_of_servings=4, vegetarian=True, difficulty="easy", link="https://a.org/1"
        )
        stew = recipes.create("/recipes", title="Stew")
        assert stew["vegetarian"] is False
        warm = recipes.create("/tags", name="warm")
        for recipe in (soup, stew):
            assert recipes("PUT", f"/recipes/{recipe['id']}/tags/{warm['id']}").status == 204
        review = recipes.create(
            "/reviews", text="Good", rating=4.5, timestamp="2026-06-01T12:00:00Z", recipe_id=soup["id"]
        )
        recipes.restart()
        assert recipes.ids(f"/tags/{warm['id']}/recipes", sort="-title") == [stew["id"], soup["id"]]
        assert recipes.ids(f"/recipes/{soup['id']}/reviews") == [review["id"]]
        assert recipes.ids("/recipes", vegetarian="true") == [soup["id"]]
        assert recipes.ids("/recipes", difficulty="easy", q="sou") == [soup["id"]]
        assert recipes("DELETE", f"/recipes/{soup['id']}").status == 409

    def test_what_does_not_fit_is_refused_and_named(self, recipes):
        bad = {"title": "Soup", "number_of_servings": "four", "vegetarian": 1, "difficulty": "no", "link": "ftp://a"}
        refused = recipes("POST", "/recipes", bad)
        assert (refused.status, refused.named) == (422, set(bad) - {"title"})
        assert recipes("POST", "/reviews", {"rating": 3}).named == {"text", "recipe_id"}
        recipes.create("/tags", name="warm")
        assert recipes("POST", "/tags", {"name": "warm"}).named == {"name"}
