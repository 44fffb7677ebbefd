# One image for every service: `docker build --tag onethread:0.1.0 .`, then `docker run onethread run unifier`.
ARG PYTHON=python:3.13.15-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/onethread
COPY requirements/runtime.txt requirements/
# Wheels only: a source distribution would run its own build here, with what no hash of ours covers.
RUN pip --python /opt/onethread/bin/python install --require-hashes --only-binary :all: \
        --requirement requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY shared shared
COPY services services
# The tools that build the wheel are of no use at run time; `check` says if something else wanted one of them.
RUN pip --python /opt/onethread/bin/python wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && pip --python /opt/onethread/bin/python install --no-deps --no-index /dist/onethread-*.whl \
    && pip --python /opt/onethread/bin/python uninstall --yes editables hatchling pathspec pluggy tomlkit \
        trove-classifiers \
    && pip --python /opt/onethread/bin/python check

FROM ${PYTHON}
LABEL org.opencontainers.image.title="onethread" \
      org.opencontainers.image.description="Every channel, one conversation" \
      org.opencontainers.image.licenses="Apache-2.0"
# A volume that is mounted for the first time takes the owner of the folder it covers.
RUN groupadd --gid 10001 onethread \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/onethread --shell /usr/sbin/nologin onethread \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/onethread /var/lib/onethread/blobs \
    && install --directory /etc/onethread
COPY --from=build /opt/onethread /opt/onethread
ENV PATH=/opt/onethread/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ONETHREAD_DATA=/var/lib/onethread \
    ONETHREAD_HTTP__HOST=0.0.0.0
USER 10001:10001
# onethread.yaml is looked for here.
WORKDIR /etc/onethread
EXPOSE 8080
# Without a proxy, whatever the environment says: it is this container that is asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('ONETHREAD_HTTP__PORT', '8080') + '/healthz', timeout=4)"]
ENTRYPOINT ["onethread"]
CMD ["up"]
