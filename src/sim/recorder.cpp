#include "recorder.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <stdexcept>

#include "json_text.hpp"
#include "weir/core/ip.hpp"

namespace weir::sim {
namespace {

std::string rfc3339(core::WallTime time) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(time - whole);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                       rest.count());
}

boost::json::array recipients_of(const Transaction& transaction) {
    boost::json::array recipients;
    for (const Transaction::Recipient& recipient : transaction.recipients) {
        recipients.push_back(boost::json::object{{"address", json_text(recipient.address)},
                                                 {"code", recipient.code},
                                                 {"reply", json_text(recipient.reply)}});
    }
    return recipients;
}

}  // namespace

Recorder::Recorder(const std::filesystem::path& file, const core::Clock& clock)
    : file_(file, std::ios::app), clock_(clock) {
    if (!file_) throw std::runtime_error("record: cannot write " + file.string());
}

void Recorder::connection_refused(const RefusedConnection& refused) {
    // Flushed line by line: a test reads the file while we run.
    file_ << boost::json::serialize(boost::json::object{{"event", "connection_refused"},
                                                        {"time", rfc3339(clock_.wall())},
                                                        {"connection", refused.connection},
                                                        {"client", core::format_ip(refused.client)},
                                                        {"reason", to_string(refused.reason)},
                                                        {"reply", json_text(refused.reply)}})
          << '\n'
          << std::flush;
}

void Recorder::transaction_ended(const Transaction& transaction) {
    const BodyFacts& body = transaction.body;
    file_ << boost::json::serialize(boost::json::object{{"event", "transaction"},
                                                        {"time", rfc3339(clock_.wall())},
                                                        {"connection", transaction.connection},
                                                        {"client", core::format_ip(transaction.client)},
                                                        {"helo", json_text(transaction.helo)},
                                                        {"sender", json_text(transaction.sender)},
                                                        {"recipients", recipients_of(transaction)},
                                                        {"outcome", to_string(transaction.outcome)},
                                                        {"reason", to_string(transaction.reason)},
                                                        {"stage", to_string(transaction.stage)},
                                                        {"reply", json_text(transaction.reply)},
                                                        {"id", transaction.id},
                                                        {"size", body.size},
                                                        {"wire_size", body.wire_size},
                                                        {"crc32", fmt::format("{:08x}", body.crc32)},
                                                        {"bare_newlines", body.bare_newlines},
                                                        {"queue_id", json_text(body.queue_id)},
                                                        {"message_id", json_text(body.message_id)},
                                                        {"subject", json_text(body.subject)}})
          << '\n'
          << std::flush;
}

}  // namespace weir::sim
