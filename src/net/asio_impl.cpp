// The one translation unit in which Asio, its TLS, Beast and Boost.System's parts are compiled (separate compilation).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
