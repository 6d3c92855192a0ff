"""A module as Flask's tutorial has it."""

from flask import Flask

application = Flask(__name__)
