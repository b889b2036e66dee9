#include "endpoints.hpp"
#include "weir/telemetry/printable.hpp"

namespace weir::admin {

Response answer_readyz(const Request& /*request*/, const Sources& sources) {
    const Readiness readiness = sources.readiness();
    if (readiness.is_ready) return reply(http::status::ok, plain_text, "ready\n");
    const std::string reason = telemetry::printable(readiness.reason);
    return reply(http::status::service_unavailable, plain_text, "not ready: " + reason + '\n');
}

}  // namespace weir::admin
