// Makes every server of the process listen on the loopback interface, since the gateway has no setting for it.
"use strict";

const net = require("node:net");

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function listenOnLoopback(port, _host, ready) {
  return listen.call(this, port, "127.0.0.1", ready);
};
