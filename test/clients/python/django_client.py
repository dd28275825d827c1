"""Django outside of its server: connections are checked and closed around each piece of work."""

import os
import django
from django.conf import settings
from django.db import close_old_connections, connection, models
import report

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
            "CONN_MAX_AGE": report.LIFETIME or None,
            "CONN_HEALTH_CHECKS": report.CHECKS,
        }
    }
)
django.setup()


class Order(models.Model):
    class Meta:
        app_label = "shop"
        db_table = "orders"
        managed = False


def work() -> str:
    close_old_connections()
    try:
        assert Order.objects.count() > 0
        with connection.cursor() as cursor:
            cursor.execute("select current_user")
            return cursor.fetchone()[0]
    finally:
        close_old_connections()


report.run(work)
