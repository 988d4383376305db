"""Which proxy the desktop's settings want for an address, as a plain address.

Owns asking Qt, which knows the settings of each system; the network below uses the answer. Environment variables
are read there, not here.
"""

from __future__ import annotations

from PySide6.QtCore import QUrl
from PySide6.QtNetwork import QNetworkProxy, QNetworkProxyFactory, QNetworkProxyQuery

_HTTP = (QNetworkProxy.ProxyType.HttpProxy, QNetworkProxy.ProxyType.HttpCachingProxy)


def system_proxy(server: str) -> str | None:
    """None: none is wanted, or none that we can use."""
    for proxy in QNetworkProxyFactory.systemProxyForQuery(QNetworkProxyQuery(QUrl(server))):
        if proxy.type() == QNetworkProxy.ProxyType.NoProxy:
            return None
        if proxy.type() in _HTTP and proxy.hostName():
            return address(proxy)
    return None


def address(proxy: QNetworkProxy) -> str:
    url = QUrl()
    url.setScheme("http")
    url.setHost(proxy.hostName())
    url.setPort(proxy.port())
    if proxy.user():
        url.setUserName(proxy.user())
        url.setPassword(proxy.password())
    return url.toString(QUrl.ComponentFormattingOption.FullyEncoded)
