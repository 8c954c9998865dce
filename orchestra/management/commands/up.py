"""`manage.py up`: from nothing to a page that answers (`make up`)."""

import time
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError

from inventory.foundation.models import Organisation
from orchestra import embedded
from orchestra.management import checks, programs

PAGE_SECONDS = 60


class Command(BaseCommand):
    """Prepare the database, start the programs, wait for the page; a second start only looks."""

    help = "Start portal, worker and scheduler, with the embedded database if none is named."
    requires_system_checks = ()

    def handle(self, *_args: str, **_options: Any) -> None:
        """Start what is not running, then print the address and the logins."""
        began = time.monotonic()
        var = settings.VAR_DIR
        running = programs.running_port(var)
        if running not in {None, settings.PORT}:
            message = f"Orchestra runs on port {running} already. Run `make down` first."
            raise CommandError(message)
        if running is None:
            programs.clear_leftovers(var)
            self._refuse_if_unwell()
            try:
                self._prepare()
            except embedded.EmbeddedServerError as error:
                raise CommandError(str(error)) from error
            self._start()
        if not programs.wait_for(lambda: checks.page_answers(settings.PORT), PAGE_SECONDS):
            message = (
                f"The page does not answer on port {settings.PORT}. Read the files in {var}/log, "
                "or stop with `make down` and run `make doctor`."
            )
            raise CommandError(message)
        word = "runs already" if running else f"is up after {time.monotonic() - began:.0f} s"
        self.stdout.write(f"\nOrchestra {word}: http://localhost:{settings.PORT}/\n")
        self._print_logins()
        self.stdout.write("Stop it with `make down`; the logs are in " + str(var / "log"))

    def _refuse_if_unwell(self) -> None:
        """Stop with the doctor's problem lines before anything is touched."""
        problems = [finding for finding in checks.before_start() if not finding.is_well]
        if problems:
            raise CommandError("\n".join(f"{line.subject}: {line.message}" for line in problems))

    def _prepare(self) -> None:
        """Bring tables, static files and (the first time) the demo in; nothing serves meanwhile."""
        started = embedded.is_used() and embedded.start(settings.VAR_DIR)
        try:
            call_command("migrate", verbosity=0, interactive=False)
            call_command("collectstatic", verbosity=0, interactive=False)
            if settings.DEMO and "demo" in get_commands() and not Organisation.objects.exists():
                self.stdout.write("Loading the demo")
                call_command("demo")
        finally:
            if started:
                embedded.stop(settings.VAR_DIR)

    def _start(self) -> None:
        """Hand the programs to the supervisor."""
        var = settings.VAR_DIR
        (var / "log").mkdir(exist_ok=True)
        chosen = programs.programs(var=var, port=settings.PORT, with_database=embedded.is_used())
        configuration = programs.write_configuration(chosen=chosen, var=var, root=settings.BASE_DIR)
        programs.start_supervisor(configuration=configuration, var=var, port=settings.PORT)

    def _print_logins(self) -> None:
        """Print the demo's logins, or how to make the first person."""
        if settings.DEMO and "demo" in get_commands():
            call_command("demo", logins=True)
        else:
            self.stdout.write("Make the first person: .venv/bin/python manage.py createsuperuser")
