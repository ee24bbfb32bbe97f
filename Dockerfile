# The app, and nothing that only tests or `make up` need: .dockerignore lets nothing else in.
FROM python:3.13.15-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

# One file or several: requirements-ssh.txt adds what hosts behind ssh:// take, requirements-oidc.txt logins by OIDC.
ARG REQUIREMENTS=requirements.txt
COPY requirements*.txt ./
RUN for file in $REQUIREMENTS; do set -- "$@" --requirement "$file"; done; \
    pip install --require-hashes --only-binary :all: "$@"

WORKDIR /app
COPY . .
# The key lives as long as this command.
RUN SECRET_KEY="$(head -c 64 /dev/urandom | base64 -w 0)" STATIC_ROOT=/app/static python manage.py collectstatic --noinput


FROM python:3.13.15-slim

RUN useradd --uid 10001 --user-group --create-home --home-dir /home/tinyforge --shell /usr/sbin/nologin tinyforge

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STATIC_ROOT=/app/static
WORKDIR /app
USER 10001:10001
EXPOSE 8000

# Nothing is written but to /dev/shm, so that the root file system may be read-only.
CMD ["gunicorn", "-c", "python:tinyforge.server", "--bind", "0.0.0.0:8000", "--workers", "2", \
     "--worker-tmp-dir", "/dev/shm", "--access-logfile", "-"]
