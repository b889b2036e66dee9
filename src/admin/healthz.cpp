#include "endpoints.hpp"

namespace weir::admin {

Response answer_healthz(const Request& /*request*/, const Sources& /*sources*/) {
    return reply(http::status::ok, plain_text, "ok\n");
}

}  // namespace weir::admin
