"""Pages of the API's lists."""

from rest_framework.pagination import PageNumberPagination


class ApiPages(PageNumberPagination):
    """`?page=` and `?page_size=` (50, at most 500) with an exact count."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
