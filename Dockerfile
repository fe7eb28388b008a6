# syntax=docker/dockerfile:1
# The worker and the command line, as `clv`. Built in one image, run in a smaller one without
# compilers, without root.
ARG PYTHON=3.11.13

FROM python:${PYTHON}-bookworm AS build
WORKDIR /build
RUN pip install --no-cache-dir "uv==0.13.*"
RUN uv venv /opt/clv
# The dependencies change seldom: a layer of their own. Versions and hashes are the lock file's.
COPY pyproject.toml requirements.lock README.md ./
RUN uv pip install --no-cache --python /opt/clv/bin/python --constraints requirements.lock -r pyproject.toml
COPY models models
COPY sinks sinks
COPY streams streams
RUN uv pip install --no-cache --python /opt/clv/bin/python --no-deps .

FROM python:${PYTHON}-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home clv
COPY --from=build /opt/clv /opt/clv
ENV PATH=/opt/clv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CLV_LOG_FORMAT=json
USER 10001:10001
WORKDIR /tmp
EXPOSE 9464
STOPSIGNAL SIGTERM
# That it lives; whether it is ready is /readyz, and a worker that recovers is not to be killed.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + (os.environ.get('CLV_METRICS_PORT') or '9464') + '/healthz', timeout=4)"]
ENTRYPOINT ["clv"]
CMD ["worker"]
