from django.urls import path

from . import views

urlpatterns = [
    path("", views.shelves, name="shelves"),
    path("oldest/", views.oldest, name="oldest"),
    path("book/<int:pk>/", views.book, name="book"),
    path("book/<int:pk>/lend/", views.lend, name="lend"),
]
