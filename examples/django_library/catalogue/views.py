from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from .models import Book


class LoanForm(forms.Form):
    borrower = forms.CharField(max_length=40, label="Your name")


def shelves(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "").strip()
    books = Book.objects.select_related("author")
    for word in words.split():
        books = books.filter(Q(title__icontains=word) | Q(author__name__icontains=word))
    return render(request, "catalogue/shelves.html", {"books": books, "q": words})


def book(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Book.objects.select_related("author"), pk=pk)
    others = found.author.books.exclude(pk=pk)
    return render(request, "catalogue/book.html", {"book": found, "others": others, "form": LoanForm()})


def oldest(request: HttpRequest) -> HttpResponse:
    """Fails on purpose: of the books from before the printing press there is not one."""
    books = Book.objects.filter(year__lt=1450)
    found = min(books, key=lambda book: book.year)
    return redirect(found)


@require_POST
def lend(request: HttpRequest, pk: int) -> HttpResponse:
    """Lend the book to the name in the form, or take it back when somebody has it."""
    wanted = get_object_or_404(Book, pk=pk)
    form = LoanForm(request.POST)
    if wanted.borrower:
        messages.success(request, f"Thank you, {wanted.borrower}: “{wanted.title}” is back on its shelf.")
        Book.objects.filter(pk=pk).update(borrower="")
    elif form.is_valid():
        name = form.cleaned_data["borrower"]
        # Only if it still stands there: two readers may ask at once.
        taken = Book.objects.filter(pk=pk, borrower="").update(borrower=name)
        text = f"“{wanted.title}” is yours, {name}." if taken else f"Somebody was quicker: “{wanted.title}” is gone."
        messages.success(request, text)
    else:
        messages.error(request, "A name is needed on the card.")
    return redirect(wanted)
