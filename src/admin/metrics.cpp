#include "endpoints.hpp"

namespace weir::admin {

Response answer_metrics(const Request& /*request*/, const Sources& sources) {
    return reply(http::status::ok, "text/plain; version=0.0.4; charset=utf-8", sources.metrics());
}

}  // namespace weir::admin
