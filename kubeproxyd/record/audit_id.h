/* The Audit-ID that joins our access line with the API server's audit event: a random UUID. */
#ifndef EKSGATE_AUDIT_ID_H
#define EKSGATE_AUDIT_ID_H

#define AUDIT_ID_TEXT 37

void audit_id_make(char text[AUDIT_ID_TEXT]);

#endif
