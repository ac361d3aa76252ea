/* termios and signals, for as long as something is played. What a recording does to the terminal
 * (colours, another screen, a hidden cursor, questions to it) is undone, and answers of the
 * terminal to such questions are thrown away instead of being typed into the shell. Called by the
 * player. */
#include "kubeproxyd/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/xmem.h"

/* Soft reset; no mouse, no word of who has the focus, no bracketed paste, keys as they usually are,
 * a cursor, no colours (xterm control sequences; the keys of kitty's protocol). */
#define RESTORE                                                                                    \
	"\033[!p\033[?9;1000;1001;1002;1003;1004;1005;1006;1015;1016l\033[?2004l"                  \
	"\033[>4m\033[<u\033[?25h\033[0m\r\n"
#define USUAL_SCREEN "\033[?1049l"
#define ESCAPE	     0x1b

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define END_COUNT (sizeof ends / sizeof ends[0])

/* Handlers have no other place. */
static volatile sig_atomic_t signal_that_came;

struct terminal {
	struct termios modes;
	struct sigaction actions[END_COUNT];
	sigset_t mask; /* from before: signals come only while waiting */
	/* Where in "ESC [ ? NUMBER h" the output is. */
	enum { IN_TEXT, BEHIND_ESCAPE, BEHIND_BRACKET, IN_MODE } place;
	unsigned mode;
	bool is_other_screen;
};

static void on_signal(int number)
{
	signal_that_came = number;
}

static void catch_signals(struct terminal *terminal)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t blocked;
	sigemptyset(&action.sa_mask);
	sigemptyset(&blocked);
	signal_that_came = 0;
	for (size_t i = 0; i < END_COUNT; i++) {
		sigaddset(&blocked, ends[i]);
		sigaction(ends[i], &action, &terminal->actions[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &terminal->mask);
}

struct terminal *terminal_open(void)
{
	struct termios modes;
	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &modes) != 0)
		return NULL;
	struct terminal *terminal = xcalloc(1, sizeof *terminal);
	terminal->modes = modes;
	catch_signals(terminal);
	modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	modes.c_cc[VMIN] = 0;
	modes.c_cc[VTIME] = 0;
	modes.c_cc[VSUSP] = _POSIX_VDISABLE;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &modes);
	return terminal;
}

int terminal_close(struct terminal **terminal)
{
	if (*terminal == NULL)
		return 0;
	/* Where it is the usual one, going back there would move the cursor. */
	if ((*terminal)->is_other_screen)
		(void)!write(STDOUT_FILENO, USUAL_SCREEN, strlen(USUAL_SCREEN));
	(void)!write(STDOUT_FILENO, RESTORE, strlen(RESTORE));
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &(*terminal)->modes);
	for (size_t i = 0; i < END_COUNT; i++)
		sigaction(ends[i], &(*terminal)->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &(*terminal)->mask, NULL);
	xfree(terminal);
	return signal_that_came;
}

static void end_mode(struct terminal *terminal, char final)
{
	unsigned mode = terminal->mode;
	bool is_screen = mode == 47 || mode == 1047 || mode == 1049;
	if (is_screen && (final == 'h' || final == 'l'))
		terminal->is_other_screen = final == 'h';
	terminal->mode = 0;
	if (final != ';')
		terminal->place = IN_TEXT;
}

void terminal_note(struct terminal *terminal, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == ESCAPE)
			terminal->place = BEHIND_ESCAPE;
		else if (terminal->place == BEHIND_ESCAPE)
			terminal->place = c == '[' ? BEHIND_BRACKET : IN_TEXT;
		else if (terminal->place == BEHIND_BRACKET)
			terminal->place = c == '?' ? IN_MODE : IN_TEXT;
		else if (terminal->place == IN_MODE && c >= '0' && c <= '9')
			terminal->mode = terminal->mode * 10 + (unsigned)(c - '0');
		else if (terminal->place == IN_MODE)
			end_mode(terminal, c);
	}
}

bool terminal_size(int64_t *columns, int64_t *rows)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
		return false;
	*columns = size.ws_col;
	*rows = size.ws_row;
	return true;
}

/* What begins with ESC is an arrow or an answer of the terminal. */
static enum terminal_key read_key(void)
{
	char keys[256];
	ssize_t count = read(STDIN_FILENO, keys, sizeof keys);
	if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN))
		return TERMINAL_QUIT; /* it hung up */
	if (count < 0 || keys[0] == ESCAPE)
		return TERMINAL_NO_KEY;
	for (ssize_t i = 0; i < count; i++) {
		if (keys[i] == 'q')
			return TERMINAL_QUIT;
		if (keys[i] == ' ')
			return TERMINAL_PAUSE;
	}
	return TERMINAL_NO_KEY;
}

enum terminal_key terminal_wait(struct terminal *terminal, struct mono until)
{
	enum terminal_key key = TERMINAL_NO_KEY;
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
	int64_t left;
	do {
		left = until.ns - mono_now().ns;
		if (left < 0)
			left = 0;
		struct timespec timeout = {left / 1000000000, left % 1000000000};
		int ready = ppoll(&keys, terminal != NULL ? 1 : 0, &timeout,
		    terminal != NULL ? &terminal->mask : NULL);
		if (terminal != NULL && signal_that_came != 0)
			return TERMINAL_QUIT;
		if (ready > 0)
			key = read_key();
	} while (key == TERMINAL_NO_KEY && left > 0);
	return key;
}
