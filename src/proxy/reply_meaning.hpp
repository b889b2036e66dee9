#pragma once

#include "weir/policy/classifier.hpp"
#include "weir/smtp/reply.hpp"
#include "weir/telemetry/metrics.hpp"

namespace weir::proxy {

/// What a relay's reply at this stage counts as.
[[nodiscard]] telemetry::ReplyClass class_of(const policy::Classifier& classifier, const smtp::Reply& reply,
                                             policy::Stage stage);

}  // namespace weir::proxy
