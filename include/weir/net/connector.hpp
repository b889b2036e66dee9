#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <list>
#include <memory>
#include <vector>

#include "weir/core/result.hpp"
#include "weir/core/time.hpp"
#include "weir/net/task.hpp"

namespace weir::net {

/// Races the addresses of one host: the first to accept wins, the others are closed. RFC 8305 5.
///
/// The addresses are tried in their order, the next one when the last has failed, or has not answered within a quarter
/// of a second: an address that swallows packets costs that, and not the whole timeout.
///
/// Errors:  Errc::timed_out; what the system said about the last to fail; operation_aborted after stop().
/// Threads: one thread, the executor's.
class Connector {
public:
    struct Connected {
        boost::asio::ip::tcp::socket socket;
        std::size_t index;  ///< which of the endpoints it is
    };

    explicit Connector(boost::asio::any_io_executor executor);
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;

    Task<core::Result<Connected>> connect(std::vector<boost::asio::ip::tcp::endpoint> endpoints,
                                          core::Duration timeout);

    /// Ends every race, and those that are still to come: the worker stops.
    void stop();

private:
    class Race;

    boost::asio::any_io_executor executor_;
    std::shared_ptr<std::list<std::weak_ptr<Race>>> races_;
    bool stopped_ = false;
};

}  // namespace weir::net
