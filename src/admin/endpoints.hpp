#pragma once

#include "http.hpp"
#include "weir/admin/server.hpp"

// One endpoint per file; the table in routes.cpp gives each its method and path.
namespace weir::admin {

/// What Prometheus scrapes.
[[nodiscard]] Response answer_metrics(const Request& request, const Sources& sources);

/// 200 as long as the process answers at all: for a liveness probe.
[[nodiscard]] Response answer_healthz(const Request& request, const Sources& sources);

/// 200 when mail can be taken, else 503 and the reason: for a readiness probe.
[[nodiscard]] Response answer_readyz(const Request& request, const Sources& sources);

/// Everything at a glance, in JSON; `weir status` prints it.
[[nodiscard]] Response answer_status(const Request& request, const Sources& sources);

}  // namespace weir::admin
