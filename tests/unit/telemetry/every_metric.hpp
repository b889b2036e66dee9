#pragma once

#include "weir/telemetry/metrics.hpp"

namespace weir::telemetry {

/// Lets everything happen once that Metrics can count, so that render() shows every family.
inline void touch_every_metric(Metrics& metrics) {
    metrics.transaction_ended("default", Outcome::held, core::Duration(1), core::Duration(1));
    metrics.recipients_ended("default", Outcome::held, 1);
    metrics.held(HeldReason::limit, "client");
    metrics.relay_replied("[smtp.isp.example]:587", ReplyClass::ok);
    metrics.relay_tls_handshake("[smtp.isp.example]:587", true);
    metrics.session_opened(Side::client);
    metrics.relay_connections("[smtp.isp.example]:587", 1, 0);
    metrics.protocol_error("bare_lf");
    metrics.outcome_unknown();
    metrics.accept_failed();
    metrics.set_snapshot_source([] {
        return Metrics::Snapshot{.limits = {{.name = "client", .tracked_keys = 3, .remaining = 7}},
                                 .top_origins = {{.origin = "203.0.113.9", .messages = 12}}};
    });
}

}  // namespace weir::telemetry
