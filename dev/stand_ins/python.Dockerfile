# What the image `python` offers here: python and pip, which trust what this machine trusts.
ARG BASE
FROM ${BASE}
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY pip.conf /etc/pip.conf
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN ln -s python3.13 /usr/bin/python
