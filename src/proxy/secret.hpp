#pragma once

#include "weir/core/result.hpp"
#include "weir/proxy/settings.hpp"
#include "weir/smtp/sasl.hpp"

namespace weir::proxy {

/// What to log in with, read anew from its file or variable, so that a changed password needs no reload. The file is
/// small and read once for each connection to the relay.
///
/// Errors: Errc::secret_unavailable, with what is missing in `problem`; never the secret itself.
[[nodiscard]] core::Result<smtp::Credentials> read_credentials(const AuthSettings& auth, std::string& problem);

}  // namespace weir::proxy
