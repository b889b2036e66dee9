#include "weir/policy/settings.hpp"

namespace weir::policy {

using namespace std::chrono_literals;

// Made for the story of design.md: a neighbour who sends thousands of messages under hundreds of made-up domains.
// What stops him is new_sender_domains; messages and recipients stop the one who floods under a single domain.
// An office's newsletter, sent once with up to 200 recipients, passes in one go.
std::vector<LimitSettings> default_limits() {
    return {
        {.name = "client",
         .per = {KeyPart::client},
         .messages = {{.rate = {.count = 60, .per = 1min}, .burst = 30}},
         .recipients = {{.rate = {.count = 600, .per = 1h}, .burst = 200}},
         .bytes = {},
         .new_sender_domains = {{.rate = {.count = 6, .per = 1h}, .burst = 8}},
         .match = {},
         .mode = Mode::enforce},
        {.name = "sender-domain",
         .per = {KeyPart::client, KeyPart::sender_domain},
         .messages = {{.rate = {.count = 30, .per = 1min}, .burst = 20}},
         .recipients = {},
         .bytes = {},
         .new_sender_domains = {},
         .match = {},
         .mode = Mode::enforce},
    };
}

}  // namespace weir::policy
