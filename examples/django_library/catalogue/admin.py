from django.contrib import admin

from .models import Author, Book

admin.site.site_header = "Library desk"
admin.site.site_title = "Library desk"
admin.site.index_title = "Behind the counter"


@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):
    list_display = ("name", "born", "died")
    search_fields = ("name",)


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ("title", "author", "year", "shelf", "borrower")
    list_filter = ("author",)
    search_fields = ("title", "author__name", "shelf")
    autocomplete_fields = ("author",)
