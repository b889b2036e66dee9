#pragma once

#include "http.hpp"
#include "weir/admin/server.hpp"

namespace weir::admin {

/// The answer to a well-formed request, ready to be sent. May throw what a source throws.
[[nodiscard]] Response respond(const Request& request, const Sources& sources);

/// An answer of ours to something that is not a request we can take; the connection ends with it.
[[nodiscard]] Response refuse(http::status status, std::string_view reason);

}  // namespace weir::admin
