#include "weir/smtp/sasl.hpp"

#include <gsasl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "weir/smtp/command.hpp"

namespace weir::smtp {
namespace {

using core::Errc;
using std::string_view;

constexpr string_view token_mechanism = "XOAUTH2";
constexpr std::array password_mechanisms{"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5"};

// A relay chooses how often SCRAM's hash is repeated, and could keep a worker busy for hours with it. RFC 7677 asks for
// 4,096 and more; this takes about a tenth of a second.
constexpr unsigned long most_scram_iterations = 200'000;

struct FreeText {
    void operator()(char* text) const { gsasl_free(text); }
};
using Text = std::unique_ptr<char, FreeText>;

struct EndSession {
    void operator()(Gsasl_session* session) const { gsasl_finish(session); }
};

struct EndLibrary {
    void operator()(Gsasl* library) const { gsasl_done(library); }
};

/// Whether a SCRAM challenge ("r=NONCE,s=SALT,i=COUNT" in base64) asks for more work than we do.
bool is_too_much_work(string_view challenge) {
    char* decoded = nullptr;
    std::size_t size = 0;
    if (gsasl_base64_from(challenge.data(), challenge.size(), &decoded, &size) != GSASL_OK) return false;
    const Text owned(decoded);
    const string_view text(decoded, size);
    const auto at = text.find(",i=");
    if (at == string_view::npos) return false;
    const string_view digits = text.substr(at + 3);
    unsigned long count = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    return error != std::errc{} || count > most_scram_iterations;
}

/// A mechanism of libgsasl's.
class PasswordClient final : public SaslClient {
public:
    /// Null when the library was built without this mechanism.
    static std::unique_ptr<SaslClient> make(const std::string& mechanism, const Credentials& credentials) {
        Gsasl* library = nullptr;
        if (gsasl_init(&library) != GSASL_OK) return nullptr;
        std::unique_ptr<Gsasl, EndLibrary> owned(library);
        Gsasl_session* session = nullptr;
        if (gsasl_client_start(library, mechanism.c_str(), &session) != GSASL_OK) return nullptr;
        std::unique_ptr<PasswordClient> client(new PasswordClient(mechanism, std::move(owned), session));
        gsasl_property_set(session, GSASL_AUTHID, credentials.username.c_str());
        gsasl_property_set(session, GSASL_PASSWORD, credentials.secret.c_str());
        return client;
    }

    [[nodiscard]] string_view mechanism() const override { return mechanism_; }

    [[nodiscard]] bool speaks_first() const override { return mechanism_ != "LOGIN" && mechanism_ != "CRAM-MD5"; }

    [[nodiscard]] core::Result<std::string> step(string_view challenge) override {
        if (mechanism_.starts_with("SCRAM") && is_too_much_work(challenge)) return Errc::auth_failed;
        char* output = nullptr;
        const int status = gsasl_step64(session_.get(), std::string(challenge).c_str(), &output);
        const Text response(output);
        if (status != GSASL_OK && status != GSASL_NEEDS_MORE) return Errc::auth_failed;
        is_done_ = status == GSASL_OK;
        return std::string(response.get());
    }

    [[nodiscard]] bool is_satisfied() const override { return is_done_ || !mechanism_.starts_with("SCRAM"); }

private:
    PasswordClient(std::string mechanism, std::unique_ptr<Gsasl, EndLibrary> library, Gsasl_session* session)
        : mechanism_(std::move(mechanism)), library_(std::move(library)), session_(session) {}

    std::string mechanism_;
    std::unique_ptr<Gsasl, EndLibrary> library_;
    std::unique_ptr<Gsasl_session, EndSession> session_;
    bool is_done_ = false;
};

/// Google's and Microsoft's way to log in with an OAuth 2.0 access token (RFC 6750).
class TokenClient final : public SaslClient {
public:
    explicit TokenClient(const Credentials& credentials)
        : message_("user=" + credentials.username + "\1auth=Bearer " + credentials.secret + "\1\1") {}

    [[nodiscard]] string_view mechanism() const override { return token_mechanism; }
    [[nodiscard]] bool speaks_first() const override { return true; }

    [[nodiscard]] core::Result<std::string> step(string_view) override {
        // A challenge says why the token was refused; an empty response asks for the refusal itself.
        if (std::exchange(has_spoken_, true)) return std::string();
        char* output = nullptr;
        std::size_t size = 0;
        if (gsasl_base64_to(message_.data(), message_.size(), &output, &size) != GSASL_OK) return Errc::auth_failed;
        const Text encoded(output);
        return std::string(encoded.get(), size);
    }

    [[nodiscard]] bool is_satisfied() const override { return true; }

private:
    std::string message_;
    bool has_spoken_ = false;
};

}  // namespace

const std::vector<std::string>& default_mechanisms() {
    static const std::vector<std::string> mechanisms(password_mechanisms.begin(), password_mechanisms.end());
    return mechanisms;
}

bool is_known_mechanism(string_view mechanism) {
    const auto& known = default_mechanisms();
    return mechanism == token_mechanism || std::find(known.begin(), known.end(), mechanism) != known.end();
}

std::unique_ptr<SaslClient> SaslClient::choose(const std::vector<std::string>& offered,
                                               const Credentials& credentials) {
    const auto is_offered = [&](string_view mechanism) {
        return std::any_of(offered.begin(), offered.end(),
                           [&](const std::string& other) { return equals_ignoring_case(mechanism, other); });
    };
    if (credentials.is_token) {
        return is_offered(token_mechanism) ? std::make_unique<TokenClient>(credentials) : nullptr;
    }
    for (const std::string& mechanism :
         credentials.mechanisms.empty() ? default_mechanisms() : credentials.mechanisms) {
        if (mechanism == token_mechanism || !is_offered(mechanism)) continue;
        if (auto client = PasswordClient::make(mechanism, credentials)) return client;
    }
    return nullptr;
}

}  // namespace weir::smtp
