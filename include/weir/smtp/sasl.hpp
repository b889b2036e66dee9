#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/result.hpp"

namespace weir::smtp {

/// What Weir logs in to a relay with.
struct Credentials {
    std::string username;
    std::string secret;     ///< a password, or an access token
    bool is_token = false;  ///< the secret is for XOAUTH2 and nothing else
    /// The mechanisms that may be used, in order of preference; empty: default_mechanisms().
    std::vector<std::string> mechanisms{};

    bool operator==(const Credentials&) const = default;
};

/// SCRAM-SHA-256, SCRAM-SHA-1, PLAIN, LOGIN, CRAM-MD5: inside TLS what shows the password to a relay that has it anyway
/// is better than a digest that needs it stored in clear there.
[[nodiscard]] const std::vector<std::string>& default_mechanisms();

/// Whether Weir knows this mechanism at all (upper case).
[[nodiscard]] bool is_known_mechanism(std::string_view mechanism);

/// One login (RFC 4954): challenges in, responses out, both in base64 as they stand on the wire. No I/O.
///
/// libgsasl does the arithmetic of the mechanisms; XOAUTH2, which it does not know, is one line of text.
///
/// Errors:  Errc::auth_failed for a challenge that the mechanism does not allow here, among them a SCRAM relay that
///          cannot show that it knows the password.
/// Threads: not synchronised; one owner.
class SaslClient {
public:
    virtual ~SaslClient() = default;

    /// The preferred mechanism that the relay offers too; null when there is none.
    [[nodiscard]] static std::unique_ptr<SaslClient> choose(const std::vector<std::string>& offered,
                                                            const Credentials& credentials);

    [[nodiscard]] virtual std::string_view mechanism() const = 0;

    /// Whether the client speaks first: then step("") gives what goes with the AUTH command.
    [[nodiscard]] virtual bool speaks_first() const = 0;

    [[nodiscard]] virtual core::Result<std::string> step(std::string_view challenge) = 0;

    /// Whether a success is to be believed: with SCRAM only once the relay has shown that it knows the password.
    [[nodiscard]] virtual bool is_satisfied() const = 0;

protected:
    SaslClient() = default;
    SaslClient(const SaslClient&) = default;
    SaslClient& operator=(const SaslClient&) = default;
};

}  // namespace weir::smtp
