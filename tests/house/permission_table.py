"""Who gets which answer from which route: a route without a row fails `test_permissions.py`.

Objects of addresses belong to the project `shop` and its organisation. The cast is that of
`tests/cast.py`, and:

* anonymous has not signed in (302 leads to the sign-in page);
* stranger holds every role, but in another organisation: 404 for what is not theirs to see;
* member asked for the requests, owner owns the project; approver, operator, finance and auditor
  hold their role in the organisation;
* revoked belongs to the organisation and had a role in the project until it was taken away.

A write sends what would succeed for somebody who may: 302, 200 or 201 there, 403 or 404 elsewhere.
The operator's 409 says that a creation cannot be skipped, whoever asks; the stranger's 400 that
their form has no such organisation to choose.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CAST = (
    "anonymous",
    "stranger",
    "member",
    "owner",
    "approver",
    "operator",
    "finance",
    "auditor",
    "revoked",
)

#       route                   method anon stra memb ownr appr oper fina audi revo
TABLE = """
orchestra:start                 GET    302  200  200  200  200  200  200  200  200
orchestra:catalogue             GET    302  200  200  200  200  200  200  200  403
orchestra:request-new           GET    302  404  200  200  403  403  403  403  403
orchestra:request-new           POST   302  404  302  302  403  403  403  403  403
orchestra:request-estimate      GET    302  405  405  405  405  405  405  405  405
orchestra:request-estimate      POST   302  404  200  200  403  403  403  403  403
orchestra:requests              GET    302  200  200  200  200  200  200  200  200
orchestra:request               GET    302  404  200  200  200  200  200  200  404
orchestra:request-edit          GET    302  404  200  403  403  403  403  403  403
orchestra:request-edit          POST   302  404  302  403  403  403  403  403  403
orchestra:request-submit        GET    302  405  405  405  405  405  405  405  405
orchestra:request-submit        POST   302  404  302  403  403  403  403  403  404
orchestra:request-cancel        GET    302  405  405  405  405  405  405  405  405
orchestra:request-cancel        POST   302  404  302  302  403  302  403  403  404
orchestra:approvals             GET    302  200  403  200  200  403  403  403  403
orchestra:approval              GET    302  404  200  200  200  200  200  200  404
orchestra:approval              POST   302  404  403  302  302  403  403  403  404
orchestra:applications          GET    302  200  200  200  200  200  200  200  200
orchestra:application           GET    302  404  200  200  200  200  200  200  404
orchestra:deployment-resize     GET    302  404  200  200  403  403  403  403  404
orchestra:deployment-resize     POST   302  404  302  302  403  403  403  403  404
orchestra:deployment-extend     GET    302  404  200  200  403  403  403  403  404
orchestra:deployment-extend     POST   302  404  302  302  403  403  403  403  404
orchestra:deployment-end        GET    302  404  200  200  403  403  403  403  404
orchestra:deployment-end        POST   302  404  302  302  403  403  403  403  404
orchestra:deployment-estimate   GET    302  405  405  405  405  405  405  405  405
orchestra:deployment-estimate   POST   302  404  200  200  403  403  403  403  404
orchestra:application-confirm   GET    302  405  405  405  405  405  405  405  405
orchestra:application-confirm   POST   302  404  302  302  403  403  403  403  404
orchestra:notices               GET    302  200  200  200  200  200  200  200  200
orchestra:notices-read          GET    302  405  405  405  405  405  405  405  405
orchestra:notices-read          POST   302  302  302  302  302  302  302  302  302
orchestra:notice-read           GET    302  405  405  405  405  405  405  405  405
orchestra:notice-read           POST   302  404  302  404  404  404  404  404  404
orchestra:defaults              GET    302  200  403  200  200  200  200  200  403
orchestra:defaults-of           GET    302  404  404  200  200  200  200  200  404
orchestra:defaults-terms        GET    302  404  404  403  403  200  403  403  404
orchestra:defaults-terms        POST   302  404  404  403  403  302  403  403  404
orchestra:defaults-capacity     GET    302  404  404  403  403  200  403  403  404
orchestra:defaults-capacity     POST   302  404  404  403  403  302  403  403  404
orchestra:defaults-accounts     GET    302  404  404  403  403  403  200  403  404
orchestra:defaults-accounts     POST   302  404  404  403  403  403  302  403  404
orchestra:defaults-rule         GET    302  404  404  403  403  403  403  403  404
orchestra:defaults-rule         POST   302  404  404  403  403  403  403  403  404
orchestra:defaults-rule-new     GET    302  404  404  403  403  403  403  403  404
orchestra:defaults-rule-new     POST   302  404  404  403  403  403  403  403  404
orchestra:runs                  GET    302  200  200  200  200  200  200  200  200
orchestra:run                   GET    302  404  200  200  200  200  200  200  404
orchestra:run-timeline          GET    302  404  200  200  200  200  200  200  404
orchestra:run-log               GET    302  404  200  200  200  200  200  200  404
orchestra:run-steer             GET    302  405  405  405  405  405  405  405  405
orchestra:run-steer             POST   302  404  302  302  403  302  403  403  404
orchestra:step-retry            GET    302  405  405  405  405  405  405  405  405
orchestra:step-retry            POST   302  404  403  403  403  302  403  403  404
orchestra:step-skip             GET    302  405  405  405  405  405  405  405  405
orchestra:step-skip             POST   302  404  403  403  403  409  403  403  404
orchestra:step-resolve          GET    302  405  405  405  405  405  405  405  405
orchestra:step-resolve          POST   302  404  403  403  403  302  403  403  404
orchestra:tokens                GET    302  200  200  200  200  200  200  200  403
orchestra:tokens                POST   302  200  200  200  200  200  200  200  403
orchestra:token-revoke          GET    302  405  405  405  405  405  405  405  405
orchestra:token-revoke          POST   302  404  302  404  404  404  404  404  404
orchestra:connections           GET    302  200  403  403  403  200  403  403  403
orchestra:connection            GET    302  404  403  403  403  200  403  403  403
orchestra:freezes               GET    302  200  200  200  200  200  200  200  200
orchestra:freeze-new            GET    302  200  403  200  403  200  403  403  403
orchestra:freeze-new            POST   302  400  403  400  403  302  403  403  403
orchestra:freeze                GET    302  404  200  200  200  200  200  200  200
orchestra:freeze-edit           GET    302  404  403  403  403  200  403  403  403
orchestra:freeze-edit           POST   302  404  403  403  403  302  403  403  403
orchestra:freeze-end            GET    302  405  405  405  405  405  405  405  405
orchestra:freeze-end            POST   302  404  403  403  403  302  403  403  403
orchestra:freeze-remove         GET    302  405  405  405  405  405  405  405  405
orchestra:freeze-remove         POST   302  404  403  403  403  409  403  403  403
orchestra:windows               GET    302  200  200  200  200  200  200  200  200
orchestra:window-new            GET    302  200  403  200  403  200  403  403  403
orchestra:window-new            POST   302  400  403  400  403  302  403  403  403
orchestra:window                GET    302  404  200  200  200  200  200  200  200
orchestra:window-edit           GET    302  404  403  403  403  200  403  403  403
orchestra:window-edit           POST   302  404  403  403  403  302  403  403  403
orchestra:window-end            GET    302  405  405  405  405  405  405  405  405
orchestra:window-end            POST   302  404  403  403  403  302  403  403  403
orchestra:window-remove         GET    302  405  405  405  405  405  405  405  405
orchestra:window-remove         POST   302  404  403  403  403  302  403  403  403
orchestra:rules                 GET    302  200  403  200  200  200  200  200  403
orchestra:decisions             GET    302  200  200  200  200  200  200  200  200
orchestra:health                GET    302  200  403  403  403  200  200  200  403

foundation:login                GET    200  302  302  302  302  302  302  302  302
foundation:login                POST   200  302  302  302  302  302  302  302  302
foundation:logout               GET    302  405  405  405  405  405  405  405  405
foundation:logout               POST   302  302  302  302  302  302  302  302  302
foundation:find                 GET    302  200  200  200  200  200  200  200  200
foundation:audit                GET    302  200  403  200  403  403  403  200  403
foundation:audit-entry          GET    302  404  403  200  403  403  403  200  403
foundation:events               GET    302  200  403  200  403  403  403  200  403
foundation:event                GET    302  404  403  200  403  403  403  200  403
foundation:projects             GET    302  200  200  200  200  200  200  200  200
foundation:project              GET    302  404  200  200  200  200  200  200  404
foundation:project-new          GET    302  200  403  403  403  200  403  403  403
foundation:project-new          POST   302  400  403  403  403  302  403  403  403
foundation:project-edit         GET    302  404  403  200  403  403  403  403  404
foundation:project-edit         POST   302  404  403  302  403  403  403  403  404
foundation:project-close        GET    302  404  403  200  403  403  403  403  404
foundation:project-close        POST   302  404  403  409  403  403  403  403  404
foundation:project-reopen       GET    302  404  403  200  403  403  403  403  404
foundation:project-reopen       POST   302  404  403  409  403  403  403  403  404
foundation:project-move         GET    302  404  403  403  403  403  403  403  404
foundation:project-move         POST   302  404  403  403  403  403  403  403  404
foundation:hand-over            GET    302  404  403  200  403  403  403  403  404
foundation:hand-over            POST   302  404  403  302  403  403  403  403  404
foundation:project-requests     GET    302  200  200  200  200  200  200  200  200
foundation:request-project      GET    302  200  200  200  200  200  200  200  200
foundation:request-project      POST   302  400  302  302  302  302  302  302  302
foundation:project-request      GET    302  404  200  200  404  200  200  200  404
foundation:project-request-decide   GET  302  404  403  403  404  200  403  403  404
foundation:project-request-decide   POST 302  404  403  403  404  302  403  403  404
foundation:project-request-withdraw GET  302  405  405  405  405  405  405  405  405
foundation:project-request-withdraw POST 302  404  302  403  404  403  403  403  404
foundation:transfers            GET    302  200  200  200  200  200  200  200  200
foundation:transfer             GET    302  404  200  200  200  200  200  200  404
foundation:transfer-answer      GET    302  404  403  403  200  403  403  403  404
foundation:transfer-answer      POST   302  404  403  403  302  403  403  403  404
foundation:transfer-withdraw    GET    302  405  405  405  405  405  405  405  405
foundation:transfer-withdraw    POST   302  404  403  302  403  403  403  403  404
foundation:organisations        GET    302  200  200  200  200  200  200  200  200
foundation:organisation         GET    302  404  200  200  200  200  200  200  200
foundation:project-roles        GET    302  404  200  200  200  200  200  200  404
foundation:role                 GET    302  404  200  200  200  200  200  200  404
foundation:role-change          GET    302  404  403  200  403  403  403  403  404
foundation:role-change          POST   302  404  403  302  403  403  403  403  404
foundation:member-add           GET    302  200  403  403  403  403  403  403  403
foundation:member-add           POST   302  400  403  403  403  403  403  403  403
foundation:grant                GET    302  404  403  200  403  403  403  403  404
foundation:grant                POST   302  404  403  302  403  403  403  403  404
foundation:revoke               GET    302  404  403  200  403  403  403  403  404
foundation:revoke               POST   302  404  403  302  403  403  403  403  404
foundation:profile              GET    302  200  200  200  200  200  200  200  200
foundation:profile              POST   302  302  302  302  302  302  302  302  302
foundation:people               GET    302  200  403  200  403  200  200  200  403
foundation:person               GET    302  404  403  200  403  200  200  200  403
foundation:views                GET    302  200  200  200  200  200  200  200  200
foundation:view                 GET    302  404  200  200  200  200  200  200  404
foundation:view-open            GET    302  404  302  302  302  302  302  302  404
foundation:view-new             GET    302  400  400  400  400  400  400  400  400
foundation:view-new             POST   302  302  302  302  302  302  302  302  302
foundation:view-edit            GET    302  404  200  403  403  403  403  403  404
foundation:view-edit            POST   302  404  302  403  403  403  403  403  404
foundation:view-delete          GET    302  404  200  200  403  403  403  403  404
foundation:view-delete          POST   302  404  302  302  403  403  403  403  404
foundation:view-choose          GET    302  405  405  405  405  405  405  405  405
foundation:view-choose          POST   302  404  302  302  302  302  302  302  404
foundation:verify               GET    302  200  200  200  200  200  200  200  200
foundation:verify               POST   302  200  200  200  200  200  200  200  200
foundation:become               GET    405  405  405  405  405  405  405  405  405
foundation:become               POST   404  404  404  404  404  404  404  404  404

inventory:resources             GET    302  200  200  200  200  200  200  200  200
inventory:resource              GET    302  404  200  200  200  200  200  200  404
inventory:pools                 GET    302  200  200  200  200  200  200  200  200
inventory:pool                  GET    302  404  200  200  200  200  200  200  200
inventory:pool-people           GET    302  404  403  403  403  200  200  200  403
inventory:pool-grant            GET    302  404  403  403  403  403  403  403  403
inventory:pool-grant            POST   302  404  403  403  403  403  403  403  403
inventory:pool-revoke           GET    302  404  403  403  403  403  403  403  403
inventory:pool-revoke           POST   302  404  403  403  403  403  403  403  403
inventory:pool-use              GET    302  404  200  200  200  200  200  200  200
inventory:hosts                 GET    302  200  403  403  403  200  200  200  403
inventory:host                  GET    302  404  404  404  404  200  200  200  404
inventory:host-groups           GET    302  200  403  403  403  200  200  200  403
inventory:host-group            GET    302  404  404  404  404  200  200  200  404
inventory:traits                GET    302  200  200  200  200  200  200  200  200
inventory:held                  GET    302  200  200  200  200  200  200  200  200
inventory:quotas                GET    302  200  200  200  200  200  200  200  200

billing:costs                   GET    302  200  200  200  200  403  200  200  403
billing:costs-csv               GET    302  200  200  200  200  403  200  200  403
billing:resource-cost           GET    302  404  200  200  200  403  200  200  404
billing:budget-csv              GET    302  404  200  200  200  403  200  200  403
billing:usage                   GET    302  200  200  200  200  403  200  200  403
billing:account                 GET    302  404  404  200  200  404  200  200  404
billing:payers                  GET    302  200  200  200  200  403  200  200  403
billing:payer                   GET    302  404  403  403  403  403  200  403  404
billing:payer                   POST   302  404  403  403  403  403  302  403  404
billing:charges                 GET    302  200  200  200  200  403  200  200  403
billing:charge                  GET    302  404  200  200  200  404  200  200  404
billing:statements              GET    302  200  403  200  200  403  200  200  403
billing:statement               GET    302  404  404  200  200  404  200  200  404
billing:statement-csv           GET    302  404  404  200  200  404  200  200  404
billing:running                 GET    302  404  404  200  200  404  200  200  404
billing:prices                  GET    302  200  200  200  200  200  200  200  200
billing:price                   GET    302  404  200  200  200  200  200  200  200
billing:price-new               GET    302  404  403  403  403  403  200  403  403
billing:price-new               POST   302  404  403  403  403  403  302  403  403
billing:price-changes           GET    302  200  403  403  403  403  200  403  403
billing:price-change            GET    302  404  403  403  403  403  200  403  403
billing:price-change            POST   302  404  403  403  403  403  302  403  403
billing:corrections             GET    302  200  403  403  403  403  200  403  403
billing:correction-new          GET    302  404  403  403  403  403  200  403  403
billing:correction-new          POST   302  404  403  403  403  403  302  403  403
billing:correction              GET    302  404  403  403  403  403  200  403  403
billing:correction              POST   302  404  403  403  403  403  302  403  403
billing:periods                 GET    302  200  403  403  403  403  200  403  403
billing:month                   GET    302  404  403  403  403  403  200  403  403
billing:close                   GET    302  404  403  403  403  403  200  403  403
billing:close                   POST   302  404  403  403  403  403  302  403  403
billing:export                  GET    302  405  403  405  405  403  405  405  403
billing:export                  POST   302  403  403  403  200  403  200  200  403

api:docs                        GET    302  200  200  200  200  200  200  200  200
api:schema                      GET    401  200  200  200  200  200  200  200  200
api:notice-list                 GET    401  200  200  200  200  200  200  200  200
api:notice-detail               GET    401  404  200  404  404  404  404  404  404
api:notice-read                 POST   401  404  200  404  404  404  404  404  404
api:notice-read-all             POST   401  200  200  200  200  200  200  200  200
api:term-confirm                POST   401  404  200  200  403  403  403  403  404
api:defaults-list               GET    401  200  200  200  200  200  200  200  200
api:defaults-detail             GET    401  404  404  200  200  200  200  200  404
api:defaults-terms              PATCH  401  404  404  403  403  200  403  403  404
api:defaults-capacity           PATCH  401  404  404  403  403  200  403  403  404
api:defaults-accounts           PATCH  401  404  404  403  403  403  200  403  404
api:order-list                  GET    401  200  200  200  200  200  200  200  200
api:order-list                  POST   401  404  201  201  403  403  403  403  404
api:order-detail                GET    401  404  200  200  200  200  200  200  404
api:order-detail                PATCH  401  404  200  403  403  403  403  403  404
api:order-cancel                GET    401  405  405  405  405  405  405  405  405
api:order-cancel                POST   401  404  200  200  403  200  403  403  404
api:order-decide                GET    401  405  405  405  405  405  405  405  405
api:order-decide                POST   401  404  403  200  200  403  403  403  404
api:order-submit                GET    401  405  405  405  405  405  405  405  405
api:order-submit                POST   401  404  200  403  403  403  403  403  404
api:project-list                GET    401  200  200  200  200  200  200  200  200
api:project-list                POST   401  404  403  403  403  201  403  403  403
api:project-detail              GET    401  404  200  200  200  200  200  200  404
api:project-detail              PATCH  401  404  403  200  403  403  403  403  404
api:project-close               GET    401  405  405  405  405  405  405  405  405
api:project-close               POST   401  404  403  409  403  403  403  403  404
api:project-reopen              GET    401  405  405  405  405  405  405  405  405
api:project-reopen              POST   401  404  403  409  403  403  403  403  404
api:project-request-list        GET    401  200  200  200  200  200  200  200  200
api:project-request-list        POST   401  404  201  201  201  201  201  201  201
api:project-request-detail      GET    401  404  200  200  404  200  200  200  404
api:project-request-approve     GET    401  405  405  405  405  405  405  405  405
api:project-request-approve     POST   401  404  403  403  404  200  403  403  404
api:project-request-reject      GET    401  405  405  405  405  405  405  405  405
api:project-request-reject      POST   401  404  403  403  404  200  403  403  404
api:project-request-withdraw    GET    401  405  405  405  405  405  405  405  405
api:project-request-withdraw    POST   401  404  200  403  404  403  403  403  404
api:project-transfer-list       GET    401  200  200  200  200  200  200  200  200
api:project-transfer-list       POST   401  404  403  201  403  403  403  403  404
api:project-transfer-detail     GET    401  404  200  200  200  200  200  200  404
api:project-transfer-accept     GET    401  405  405  405  405  405  405  405  405
api:project-transfer-accept     POST   401  404  403  403  200  403  403  403  404
api:project-transfer-decline    GET    401  405  405  405  405  405  405  405  405
api:project-transfer-decline    POST   401  404  403  403  200  403  403  403  404
api:project-transfer-withdraw   GET    401  405  405  405  405  405  405  405  405
api:project-transfer-withdraw   POST   401  404  403  200  403  403  403  403  404
api:person-list                 GET    401  200  403  200  403  200  200  200  403
api:person-detail               GET    401  404  403  200  403  200  200  200  403
api:organisation-list           GET    401  200  200  200  200  200  200  200  200
api:organisation-detail         GET    401  404  200  200  200  200  200  200  200
api:role-list                   GET    401  200  200  200  200  200  200  200  200
api:role-list                   POST   401  404  403  201  403  403  403  403  404
api:role-detail                 GET    401  404  200  200  200  200  200  200  404
api:role-detail                 PATCH  401  404  403  200  403  403  403  403  404
api:role-revoke                 GET    401  405  405  405  405  405  405  405  405
api:role-revoke                 POST   401  404  403  204  403  403  403  403  404
api:deployment-list             GET    401  200  200  200  200  200  200  200  200
api:deployment-detail           GET    401  404  200  200  200  200  200  200  404
api:deployment-resize           GET    401  405  405  405  405  405  405  405  405
api:deployment-resize           POST   401  404  201  201  403  403  403  403  404
api:deployment-extend           GET    401  405  405  405  405  405  405  405  405
api:deployment-extend           POST   401  404  201  201  403  403  403  403  404
api:deployment-end              GET    401  405  405  405  405  405  405  405  405
api:deployment-end              POST   401  404  201  201  403  403  403  403  404
api:run-list                    GET    401  200  200  200  200  200  200  200  200
api:run-detail                  GET    401  404  200  200  200  200  200  200  404
api:run-log                     GET    401  404  200  200  200  200  200  200  404
api:run-steer                   GET    401  405  405  405  405  405  405  405  405
api:run-steer                   POST   401  404  200  200  403  200  403  403  404
api:resource-list               GET    401  200  200  200  200  200  200  200  200
api:resource-detail             GET    401  404  200  200  200  200  200  200  404
api:held-list                   GET    401  200  200  200  200  200  200  200  200
api:held-detail                 GET    401  404  200  200  200  200  200  200  404
api:quota-list                  GET    401  200  200  200  200  200  200  200  200
api:quota-detail                GET    401  404  200  200  200  200  200  200  404
api:resource-class-list         GET    401  200  200  200  200  200  200  200  200
api:resource-class-detail       GET    401  200  200  200  200  200  200  200  200
api:trait-list                  GET    401  200  200  200  200  200  200  200  200
api:trait-detail                GET    401  404  200  200  200  200  200  200  200
api:pool-list                   GET    401  200  200  200  200  200  200  200  200
api:pool-detail                 GET    401  404  200  200  200  200  200  200  200
api:host-list                   GET    401  200  200  200  200  200  200  200  200
api:host-detail                 GET    401  404  404  404  404  200  200  200  404
api:host-group-list             GET    401  200  200  200  200  200  200  200  200
api:host-group-detail           GET    401  404  404  404  404  200  200  200  404
api:freeze-list                 GET    401  200  200  200  200  200  200  200  200
api:freeze-list                 POST   401  404  403  403  403  201  403  403  403
api:freeze-detail               GET    401  404  200  200  200  200  200  200  200
api:freeze-detail               PATCH  401  404  403  403  403  200  403  403  403
api:freeze-detail               DELETE 401  404  403  403  403  409  403  403  403
api:freeze-end                  GET    401  405  405  405  405  405  405  405  405
api:freeze-end                  POST   401  404  403  403  403  200  403  403  403
api:change-window-list          GET    401  200  200  200  200  200  200  200  200
api:change-window-list          POST   401  404  403  403  403  201  403  403  403
api:change-window-detail        GET    401  404  200  200  200  200  200  200  200
api:change-window-detail        PATCH  401  404  403  403  403  200  403  403  403
api:change-window-detail        DELETE 401  404  403  403  403  204  403  403  403
api:change-window-end           GET    401  405  405  405  405  405  405  405  405
api:change-window-end           POST   401  404  403  403  403  200  403  403  403
api:offering-list               GET    401  200  200  200  200  200  200  200  200
api:offering-detail             GET    401  404  200  200  200  200  200  200  200
api:rule-list                   GET    401  200  200  200  200  200  200  200  200
api:rule-detail                 GET    401  404  404  200  200  200  200  200  404
api:decision-list               GET    401  200  200  200  200  200  200  200  200
api:decision-detail             GET    401  404  200  200  200  200  200  200  404
api:health-list                 GET    401  200  403  403  403  200  200  200  403
api:membership-list             GET    401  200  403  200  403  200  200  200  403
api:membership-detail           GET    401  404  403  200  403  200  200  200  403
api:charge-list                 GET    401  200  200  200  200  200  200  200  200
api:charge-detail               GET    401  404  200  200  200  404  200  200  404
api:charge-explanation          GET    401  404  200  200  200  404  200  200  404
api:correction-list             GET    401  200  200  200  200  200  200  200  200
api:correction-list             POST   401  404  404  404  404  404  201  404  404
api:correction-difference       GET    401  400  400  400  400  400  400  400  400
api:correction-detail           GET    401  404  404  404  404  404  200  404  404
api:correction-release          POST   401  404  404  404  404  404  200  404  404
api:correction-withdraw         POST   401  404  404  404  404  404  200  404  404
api:price-change-list           GET    401  200  200  200  200  200  200  200  200
api:price-change-list           POST   401  404  404  404  404  404  201  404  404
api:price-change-detail         GET    401  404  404  404  404  404  200  404  404
api:price-change-release        POST   401  404  404  404  404  404  200  404  404
api:price-change-withdraw       POST   401  404  404  404  404  404  200  404  404
api:usage-record-list           GET    401  200  200  200  200  200  200  200  200
api:usage-record-detail         GET    401  404  200  200  200  404  200  200  404
api:project-billing-list        GET    401  200  200  200  200  200  200  200  200
api:project-billing-detail      GET    401  404  200  200  200  404  200  200  404
api:budget-list                 GET    401  200  200  200  200  200  200  200  200
api:budget-detail               GET    401  404  200  200  200  404  200  200  404
api:issuing-entity-list         GET    401  200  200  200  200  200  200  200  200
api:issuing-entity-detail       GET    401  404  404  200  200  404  200  200  404
api:billing-account-list        GET    401  200  200  200  200  200  200  200  200
api:billing-account-detail      GET    401  404  404  200  200  404  200  200  404
api:invoice-list                GET    401  200  200  200  200  200  200  200  200
api:invoice-detail              GET    401  404  404  200  200  404  200  200  404
api:invoice-line-list           GET    401  200  200  200  200  200  200  200  200
api:invoice-line-detail         GET    401  404  404  200  200  404  200  200  404
api:meter-list                  GET    401  200  200  200  200  200  200  200  200
api:meter-detail                GET    401  404  200  200  200  200  200  200  200
api:sku-list                    GET    401  200  200  200  200  200  200  200  200
api:sku-detail                  GET    401  404  200  200  200  200  200  200  200
api:price-book-list             GET    401  200  200  200  200  200  200  200  200
api:price-book-detail           GET    401  404  200  200  200  200  200  200  200
api:sku-price-list              GET    401  200  200  200  200  200  200  200  200
api:sku-price-detail            GET    401  404  200  200  200  200  200  200  200
api:billing-period-list         GET    401  200  200  200  200  200  200  200  200
api:billing-period-detail       GET    401  404  404  404  404  404  200  404  404
api:billing-export-list         GET    401  200  200  200  200  200  200  200  200
api:billing-export-detail       GET    401  404  404  404  404  404  200  404  404
api:view-list                   GET    401  200  200  200  200  200  200  200  200
api:view-list                   POST   401  201  201  201  201  201  201  201  201
api:view-detail                 GET    401  404  200  200  200  200  200  200  404
api:view-detail                 PATCH  401  404  200  403  403  403  403  403  404
api:view-detail                 DELETE 401  404  204  204  403  403  403  403  404
api:audit-list                  GET    401  200  200  200  200  200  200  200  200
api:audit-detail                GET    401  404  404  200  404  404  404  200  404
api:event-list                  GET    401  200  200  200  200  200  200  200  200
api:event-detail                GET    401  404  404  200  404  404  404  200  404
"""


@dataclass(frozen=True)
class Row:
    """What each person gets from a route asked by a method."""

    name: str
    method: str
    expected: Mapping[str, int]


def rows() -> list[Row]:
    """Return the table, row by row."""
    found = []
    for line in TABLE.split("\n"):
        if line.strip():
            name, method, *statuses = line.split()
            expected = dict(zip(CAST, map(int, statuses), strict=True))
            found.append(Row(name, method, expected))
    return found
