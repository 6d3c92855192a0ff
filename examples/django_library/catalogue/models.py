from django.db import models
from django.urls import reverse


class Author(models.Model):
    name = models.CharField(max_length=80)
    born = models.PositiveSmallIntegerField(null=True, blank=True)
    died = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=120)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    year = models.PositiveSmallIntegerField()
    shelf = models.CharField(max_length=12, help_text="Where it stands, such as B 12.")
    borrower = models.CharField(max_length=40, blank=True, help_text="Empty while the book is on its shelf.")

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return f"{self.title} ({self.year})"

    def get_absolute_url(self) -> str:
        return reverse("book", args=[self.pk])
