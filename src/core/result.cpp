#include "weir/core/result.hpp"

#include <string>

namespace weir::core {
namespace {

class Category final : public boost::system::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "weir"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::timed_out:
                return "timed out";
            case Errc::closed_by_peer:
                return "connection closed by the other side";
            case Errc::line_too_long:
                return "line too long";
            case Errc::bad_reply:
                return "not an SMTP reply";
            case Errc::unexpected_reply:
                return "reply not allowed here";
            case Errc::relay_refused:
                return "refused by the relay";
            case Errc::pool_saturated:
                return "all relay connections are busy";
            case Errc::relay_unreachable:
                return "relay unreachable";
            case Errc::shutting_down:
                return "shutting down";
            case Errc::tls_failed:
                return "TLS failed";
            case Errc::tls_not_offered:
                return "TLS is required, and the relay does not offer it";
            case Errc::auth_failed:
                return "login refused by the relay";
            case Errc::auth_unavailable:
                return "the relay offers no way of logging in that is known here";
            case Errc::auth_needs_tls:
                return "no password is sent without TLS";
            case Errc::secret_unavailable:
                return "the password cannot be read";
            case Errc::bad_syntax:
                return "bad syntax";
            case Errc::out_of_range:
                return "out of range";
            case Errc::name_not_found:
                return "no such host name";
            case Errc::accepts_no_mail:
                return "the domain accepts no mail (null MX)";
        }
        return "unknown error";
    }
};

}  // namespace

const boost::system::error_category& weir_category() {
    static const Category category;
    return category;
}

}  // namespace weir::core
