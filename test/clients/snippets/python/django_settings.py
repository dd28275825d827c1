import os

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django  # noqa: E402
from django.db import close_old_connections, connection  # noqa: E402
import report  # noqa: E402

django.setup()


def work() -> str:
    close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute("select current_user from orders")
            return cursor.fetchone()[0]
    finally:
        close_old_connections()


report.run(work)
