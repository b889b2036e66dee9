#include "log_line.hpp"

#include <fmt/compile.h>

#include <algorithm>
#include <iterator>

namespace weir::telemetry {
namespace {

/// Writes name after name in one of the two formats, so that both always say the same.
class Fields {
public:
    Fields(Buffer& out, Format format) : out_(out), format_(format) {}

    void event(std::string_view word) {
        if (format_ == Format::json) return text("event", word);
        append_message(out_, word);
        is_first_ = false;
    }

    void text(std::string_view field, std::string_view value, std::size_t longest = longest_value) {
        if (value.empty()) return;
        name(field);
        format_ == Format::json ? append_json(out_, value, longest) : append_value(out_, value);
    }

    /// Postfix's way of writing an address: the null sender is <>.
    void address(std::string_view field, std::string_view address) {
        scratch_.clear();
        scratch_.push_back('<');
        scratch_.append(address.data(), address.data() + std::min(address.size(), longest_value));
        scratch_.push_back('>');
        text(field, {scratch_.data(), scratch_.size()});
    }

    template <class Number>
    void number(std::string_view field, Number value) {
        name(field);
        fmt::format_to(std::back_inserter(out_), FMT_COMPILE("{}"), value);
    }

    void seconds(std::string_view field, core::Duration duration) {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
        const auto whole = std::max<std::int64_t>(ms, 0);
        name(field);
        fmt::format_to(std::back_inserter(out_), FMT_COMPILE("{}.{:03}"), whole / 1000, whole % 1000);
    }

    void reference(std::string_view field, std::uint32_t ref) {
        if (ref == 0) return;
        scratch_.clear();
        fmt::format_to(std::back_inserter(scratch_), FMT_COMPILE("{:06X}"), ref);
        text(field, {scratch_.data(), scratch_.size()});
    }

private:
    void name(std::string_view field) {
        if (!is_first_) out_.push_back(format_ == Format::json ? ',' : ' ');
        is_first_ = false;
        if (format_ == Format::json) out_.push_back('"');
        out_.append(field.data(), field.data() + field.size());
        if (format_ == Format::json) out_.push_back('"');
        out_.push_back(format_ == Format::json ? ':' : '=');
    }

    Buffer& out_;
    Buffer scratch_;
    Format format_;
    bool is_first_ = true;
};

}  // namespace

void append_transaction(Buffer& out, Format format, const TransactionRecord& record) {
    Fields fields(out, format);
    fields.event(to_string(record.outcome));
    fields.text("queue_id", record.queue_id);
    fields.text("ident", record.ident);
    fields.number("session", record.session);
    fields.text("client", record.client);
    fields.text("login", record.login);
    fields.text("lane", record.lane);
    fields.address("from", record.sender);
    if (!record.first_recipient.empty()) fields.address("to", record.first_recipient);
    fields.number("nrcpt", record.recipients_accepted);
    fields.number("refused", record.recipients_refused);
    fields.number("size", record.bytes);
    fields.text("reason", record.reason);
    fields.text("limit", record.limit);
    fields.reference("ref", record.ref);
    fields.text("relay", record.relay);
    fields.seconds("duration", record.duration);
    fields.text("reply", record.reply);
}

void append_event(Buffer& out, Format format, std::string_view message, std::uint64_t suppressed) {
    if (format == Format::json) {
        Fields fields(out, format);
        fields.text("message", message, longest_message);
        if (suppressed > 0) fields.number("suppressed", suppressed);
        return;
    }
    append_message(out, message);
    if (suppressed > 0) fmt::format_to(std::back_inserter(out), " (suppressed {})", suppressed);
}

}  // namespace weir::telemetry
