# What the image `valkey/valkey` offers here. It declares the same volume, so that none is left behind unseen.
ARG BASE
FROM ${BASE}
VOLUME /data
