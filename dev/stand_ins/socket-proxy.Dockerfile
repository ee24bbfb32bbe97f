# What the image `wollomatic/socket-proxy` offers here: the same flags, obeyed by a small program.
ARG BASE
FROM ${BASE}
COPY socket_proxy.py /socket_proxy.py
COPY healthcheck /healthcheck
WORKDIR /
ENTRYPOINT ["python3.13", "-u", "/socket_proxy.py"]
