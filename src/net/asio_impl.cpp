// The one translation unit in which Asio, Beast and Boost.System's parts are compiled (separate compilation).
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
