"""The WSGI application of ${config}, for servers that load a file: uWSGI and mod_wsgi.

Written by `wheatpaste generate wsgi`. The INI file stays where it is and is read when the server starts; this file only
says which one. Write it anew with --force when the INI file moves.
"""

from wheatpaste.scripts.hosted import host

# The folder is where Python finds the application's own modules, unless the INI file has a python_path.
application = host(${config_literal}, folder=${folder_literal})
