"""What stands on the shelves, and who is at the desk, after the first start."""

from django.contrib.auth import get_user_model
from django.db import transaction

from .models import Author, Book

AUTHORS = {
    "Jane Austen": (1775, 1817, {"Sense and Sensibility": 1811, "Pride and Prejudice": 1813, "Emma": 1815}),
    "Charlotte Brontë": (1816, 1855, {"Jane Eyre": 1847, "Villette": 1853}),
    "Emily Brontë": (1818, 1848, {"Wuthering Heights": 1847}),
    "Miguel de Cervantes": (1547, 1616, {"Don Quijote": 1605}),
    "Charles Dickens": (1812, 1870, {"Bleak House": 1853, "Hard Times": 1854, "Great Expectations": 1861}),
    "George Eliot": (1819, 1880, {"The Mill on the Floss": 1860, "Middlemarch": 1871}),
    "Victor Hugo": (1802, 1885, {"Notre-Dame de Paris": 1831, "Les Misérables": 1862}),
    "Herman Melville": (1819, 1891, {"Moby-Dick": 1851}),
    "Mary Shelley": (1797, 1851, {"Frankenstein": 1818, "The Last Man": 1826}),
    "Bram Stoker": (1847, 1912, {"Dracula": 1897}),
    "Henry David Thoreau": (1817, 1862, {"Walden": 1854}),
    "H. G. Wells": (1866, 1946, {"The Time Machine": 1895, "The War of the Worlds": 1898}),
    "Лев Толстой": (1828, 1910, {"Война и мир": 1869, "Анна Каренина": 1878}),
}


@transaction.atomic
def stock(librarian: str, password: str) -> None:
    users = get_user_model().objects
    if not users.filter(username=librarian).exists():
        users.create_superuser(librarian, password=password)
    if Author.objects.exists():
        return
    for letter, (name, (born, died, books)) in zip("ABCDEFGHKLMNP", AUTHORS.items(), strict=True):
        author = Author.objects.create(name=name, born=born, died=died)
        for place, (title, year) in enumerate(books.items(), start=1):
            Book.objects.create(title=title, author=author, year=year, shelf=f"{letter} {place}")
