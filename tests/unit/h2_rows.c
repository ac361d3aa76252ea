/* See h2_rows.h. */
#include "tests/unit/h2_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/h2_stage.h"

static struct stage stage;

static void assert_dead(void)
{
	assert_true(h2_is_done(&stage.h2));
	stage_play(&stage, "HEADERS/eh 1001 GET; PING 0 z8; DATA 1 x1; WINDOW 0 =1");
	assert_string_equal(stage_told(&stage), "");
	assert_string_equal(stage_said(&stage), "");
}

static void assert_serves(void)
{
	char wanted[128];
	stage_play(&stage, "HEADERS/eh 1001 GET; PING 0 z8");
	snprintf(wanted, sizeof wanted, "head/e %zu", stage.count);
	assert_string_equal(stage_told(&stage), wanted);
	assert_string_equal(stage_said(&stage), "PING/e 0000000000000000");
	snprintf(wanted, sizeof wanted, ">answer/e %zu 204", stage.count);
	stage_play(&stage, wanted);
	snprintf(wanted, sizeof wanted, "close %zu NO_ERROR", stage.count);
	assert_string_equal(stage_told(&stage), wanted);
	assert_string_equal(stage_said(&stage), "HEADERS/e 1001 [:status: 204]");
}

static void assert_asks(void)
{
	char wanted[128];
	if (!h2_may_submit(&stage.h2))
		return;
	struct stage_request *request = stage_submit(&stage, true, false);
	stage_play(&stage, "");
	uint32_t id = request->h2.id;
	snprintf(wanted, sizeof wanted, "HEADERS/e %u [:method: GET, :path: /]", (unsigned)id);
	assert_string_equal(stage_said(&stage), wanted);
	snprintf(wanted, sizeof wanted, "HEADERS/eh %u OK", (unsigned)id);
	stage_play(&stage, wanted);
	unsigned number = request->number;
	snprintf(wanted, sizeof wanted, "begin %u; head/e %u; close %u NO_ERROR", number, number,
	    number);
	assert_string_equal(stage_told(&stage), wanted);
}

static void run(bool is_server, const struct h2_row *row, size_t piece)
{
	stage_open(&stage, is_server);
	stage_play(&stage, row->before);
	(void)stage_told(&stage);
	(void)stage_said(&stage);
	stage.piece = piece;
	stage_play(&stage, row->heard);
	const char *told = stage_told(&stage), *said = stage_said(&stage);
	if (strcmp(told, row->told) != 0 || strcmp(said, row->said) != 0)
		print_message(
		    "%s | %s (%zu): %s | %s\n", row->before, row->heard, piece, told, said);
	assert_string_equal(told, row->told);
	assert_string_equal(said, row->said);
	assert_false(stage.is_refused);
	if (strstr(row->said, "GOAWAY") != NULL)
		assert_dead();
	else if (is_server)
		assert_serves();
	else
		assert_asks();
	stage_close(&stage);
}

void h2_rows_run(bool is_server, const struct h2_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		run(is_server, &rows[i], 0);
		run(is_server, &rows[i], 3);
		run(is_server, &rows[i], 1);
	}
}
