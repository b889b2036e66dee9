#include "reply_meaning.hpp"

namespace weir::proxy {
namespace {

telemetry::ReplyClass counted_as(policy::ReplyClass reply_class) {
    switch (reply_class) {
        case policy::ReplyClass::ok:
            return telemetry::ReplyClass::ok;
        case policy::ReplyClass::rate:
            return telemetry::ReplyClass::rate;
        case policy::ReplyClass::reputation:
            return telemetry::ReplyClass::reputation;
        case policy::ReplyClass::auth:
            return telemetry::ReplyClass::auth;
        case policy::ReplyClass::recipient:
            return telemetry::ReplyClass::recipient;
        case policy::ReplyClass::content:
            return telemetry::ReplyClass::content;
        case policy::ReplyClass::system:
            return telemetry::ReplyClass::system;
    }
    return telemetry::ReplyClass::system;
}

}  // namespace

telemetry::ReplyClass class_of(const policy::Classifier& classifier, const smtp::Reply& reply, policy::Stage stage) {
    if (reply.code < 400) return telemetry::ReplyClass::ok;
    const policy::ReplyText parts = policy::split_lines(reply.lines);
    const auto meaning = classifier.classify(
        {.code = reply.code, .enhanced_status = parts.enhanced_status, .text = parts.text, .stage = stage});
    return counted_as(meaning.reply_class);
}

}  // namespace weir::proxy
