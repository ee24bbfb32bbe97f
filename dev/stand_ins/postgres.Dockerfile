# What the image `postgres` offers here: a user 70, and an entrypoint that makes the database if there is none.
ARG BASE
FROM ${BASE}
RUN userdel postgres; groupadd --gid 70 postgres && useradd --uid 70 --gid 70 --no-create-home postgres \
    && install --directory --owner=70 --group=70 --mode=0700 /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data
COPY postgres-entrypoint /postgres-entrypoint
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["sh", "/postgres-entrypoint"]
