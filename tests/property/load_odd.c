/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_odd: see load_bodies.h. Malformed fields of every type.
 */
#include "load_bodies.h"

/* Without an organisation of their own: "acme" and the comma come first. */
static const char *const odd[] = {
	"\"type\":\"no.such\"",
	"\"type\":\"stock.receive\",\"sku\":\"s\",\"qty\":3",
	"\"type\":\"stock.receive\",\"sku\":\"s\",\"qty\":\"3\",\"colour\":\"red\"",
	"\"type\":\"stock.receive\",\"sku\":\"a\\tb\",\"qty\":\"3\"",
	"\"type\":\"stock.receive\",\"sku\":\"\",\"qty\":\"3\"",
	"\"type\":\"stock.receive\",\"dry_run\":1",
	"\"type\":\"stock.adjust\",\"sku\":\"sku-1\",\"qty\":\"3\"",
	"\"type\":\"stock.adjust\",\"sku\":\"sku-1\",\"delta\":3",
	"\"org\":\"acme\",\"type\":\"group\"",
	"\"type\":\"transfer.post\",\"moves\":[]",
	"\"type\":\"transfer.post\",\"moves\":[{\"from\":\"hot\",\"to\":\"world\","
	"\"amount\":1}]",
	"\"type\":\"transfer.post\",\"moves\":[{\"from\":\"hot\",\"to\":"
	"\"world\"}]",
	"\"type\":\"stock.reserve\",\"sku\":\"sku-1\",\"qty\":\"1\","
	"\"expires_at\":\"2026-02-30T00:00:00Z\"",
	"\"type\":\"stock.reserve\",\"sku\":\"sku-1\",\"qty\":\"1\","
	"\"expires_at\":\"2026-11-21T00:00:00+01:00\"",
	"\"type\":\"hold.place\",\"from\":\"hot\"",
	"\"type\":\"hold.place\",\"from\":\"hot\",\"amount\":\"1\",\"to\":"
	"\"world\"",
	"\"type\":\"hold.place\",\"from\":\"hot\",\"amount\":\"1\","
	"\"expires_at\":null",
	"\"type\":\"hold.place\",\"from\":\"hot\",\"amount\":\"1\",\"hold\":\"\"",
	"\"type\":\"hold.capture\",\"hold\":\"h:1\"",
	"\"type\":\"hold.capture\",\"hold\":\"h:1\",\"to\":\"hot\",\"amount\":"
	"\"0\"",
	"\"type\":\"hold.capture\",\"hold\":\"h:1\",\"to\":\"hot\","
	"\"expected_version\":{\"account\":{\"world\":1}}",
	"\"type\":\"hold.void\",\"hold\":\"h:1\",\"amount\":\"1\"",
	"\"type\":\"account.limit\",\"account\":\"hot\"",
	"\"type\":\"account.limit\",\"account\":\"hot\",\"floor\":false",
	"\"type\":\"account.close\",\"account\":\"tmp:1\",\"floor\":null",
	"\"type\":\"account.open\",\"account\":\"x\",\"asset\":\"USD\","
	"\"shards\":2",
	"\"type\":\"transfer.reverse\"",
	"\"type\":\"transfer.reverse\",\"transfer\":7",
	"\"type\":\"order.place\",\"market\":\"m\",\"side\":\"buy\",\"qty\":\"1\"",
	"\"type\":\"order.place\",\"market\":\"m\",\"side\":\"BUY\"",
	"\"type\":\"order.place\",\"market\":\"m\",\"side\":\"BUY\",\"qty\":\"1\","
	"\"expected_version\":{\"market\":{\"m\":0}}",
	"\"type\":\"order.accept\",\"order\":\"o:1\",\"qty\":\"1\"",
	"\"type\":\"order.fill\",\"order\":\"o:1\",\"qty\":\"1\"",
	"\"type\":\"order.fill\",\"order\":\"o:1\",\"fill\":\"f\",\"qty\":\"0\"",
	"\"type\":\"trade.record\",\"account\":\"hot\",\"market\":\"m\","
	"\"outcome\":\"YES\",\"side\":\"BUY\",\"tx\":\"t\",\"position\":\"-1\","
	"\"lock\":\"0\"",
	"\"type\":\"trade.record\",\"account\":\"hot\",\"market\":\"m\","
	"\"outcome\":\"YES\",\"side\":\"BUY\",\"tx\":\"t\",\"position\":\"1\"",
	"\"type\":\"trade.record\",\"account\":\"hot\",\"market\":\"m\","
	"\"outcome\":\"YES\",\"side\":\"BUY\",\"tx\":\"t\",\"position\":\"1\","
	"\"lock\":\"0\",\"skim\":{\"amount\":\"1\"}",
	"\"type\":\"trade.record\",\"account\":\"hot\",\"market\":\"m\","
	"\"outcome\":\"YES\",\"side\":\"BUY\",\"tx\":\"t\",\"position\":\"1\","
	"\"lock\":\"0\",\"belief\":{\"belief\":0.5,\"meta\":\"0\"}",
	"\"type\":\"trade.record\",\"account\":\"hot\",\"market\":\"m\","
	"\"outcome\":\"YES\",\"side\":\"BUY\",\"tx\":\"t\",\"position\":\"1\","
	"\"lock\":\"0\",\"settled\":\"true\"",
	"\"type\":\"trade.record\",\"account\":\"hot\",\"market\":\"m\","
	"\"outcome\":\"YES\",\"side\":\"BUY\",\"tx\":\"t\",\"position\":\"1\","
	"\"lock\":\"0\",\"expected_version\":{\"position\":{\"hot/m/NO\":0}}",
	"\"type\":\"pool.deploy\",\"market\":\"m\"",
	"\"type\":\"pool.deploy\",\"market\":\"m\",\"address\":\"\"",
	"\"type\":\"market.settle\",\"market\":\"m\",\"from\":\"hot\","
	"\"payouts\":{}",
	"\"type\":\"market.settle\",\"market\":\"m\",\"from\":\"hot\","
	"\"payouts\":{\"\":\"1\"}",
	"\"type\":\"market.settle\",\"market\":\"m\",\"from\":\"hot\","
	"\"payouts\":[\"1\"]",
	"\"type\":\"market.settle\",\"market\":\"m\",\"from\":\"hot\","
	"\"payouts\":{\"YES\":1}",
	"\"type\":\"group\",\"commands\":[]",
	"\"type\":\"group\",\"commands\":{}",
	"\"type\":\"group\",\"commands\":[1]",
	"\"type\":\"group\",\"commands\":[{}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"no.such\"}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"group\",\"commands\":["
	"{\"type\":\"hold.void\",\"hold\":\"h:1\"}]}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"hold.void\",\"hold\":"
	"\"h:1\",\"id\":\"01a1fd8c-67be-7f60-8a1b-000000000007\"}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"hold.void\",\"hold\":"
	"\"h:1\",\"org\":\"acme\"}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"hold.void\",\"hold\":"
	"\"h:1\",\"actor\":\"x\"}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"hold.void\",\"hold\":"
	"\"h:1\",\"dry_run\":true}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"hold.void\",\"hold\":"
	"\"h:1\",\"traceparent\":\"x\"}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"market.settle\",\"market\":"
	"\"m\",\"from\":\"hot\",\"payouts\":{\"YES\":\"1\"}}]",
	"\"type\":\"group\",\"expected_version\":{},\"commands\":[{\"type\":"
	"\"hold.void\",\"hold\":\"h:1\"}]",
	"\"type\":\"group\",\"commands\":[{\"type\":\"hold.void\",\"hold\":"
	"\"h:1\"},{\"type\":\"hold.void\",\"hold\":1}]",
};

static const char *const nobodys[] = {"\"type\":\"transfer.post\"",
	"\"org\":\"a/b\",\"type\":\"asset.define\"",
	"\"org\":\"trading\",\"type\":\"asset.define\"",
	"\"org\":7,\"type\":\"stock.receive\""};

void
load_odd(struct making *m)
{
	ch_buf_clear(&m->body);
	if (load_chance(m, 60)) {
		ch_buf_adds(&m->body, LOAD_PICK(m, nobodys));
		return;
	}
	if (m->group_org == NULL)
		ch_buf_adds(&m->body, "\"org\":\"acme\",");
	ch_buf_adds(&m->body, LOAD_PICK(m, odd));
}
