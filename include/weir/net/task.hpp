#pragma once

#include <boost/asio/awaitable.hpp>

namespace weir::net {

/// A coroutine on a worker's loop.
template <class T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace weir::net
