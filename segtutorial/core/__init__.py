"""Core: the shop's tables, loading them, and what every wing shares."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "calendar": [
            "day_start",
            "local_day",
            "local_time",
            "to_timestamp",
            "utc_offsets",
        ],
        "completeness": [
            "check_shop",
        ],
        "datasets": [
            "BookShelf",
            "LeaveOneOut",
            "fetch_books",
            "fetch_cdnow",
            "fetch_ml1m_loo",
            "fetch_online_retail",
            "fetch_reviews",
            "fetch_tmall",
        ],
        "errors": [
            "ShopError",
        ],
        "exports": [
            "hide_ids",
            "write_csv",
            "write_shop",
        ],
        "fetching": [
            "data_file",
            "on_machine",
        ],
        "folders": [
            "check_out",
            "foreign",
            "new_file",
            "new_folder",
        ],
        "load": [
            "load_shop",
        ],
        "messages": [
            "Words",
            "languages",
            "mark",
        ],
        "stages": [
            "REGISTER",
            "CustomerGroups",
            "Results",
            "Stage",
            "in_order",
            "register",
        ],
        "section": [
            "Context",
            "Heading",
            "Picture",
            "ReportWarning",
            "Section",
            "Table",
            "attempt",
            "drawn",
            "plot_style",
            "shown",
        ],
        "storage": [
            "read_model",
            "write_model",
        ],
        "tables": [
            "ACTIONS",
            "CONTRACT",
            "Column",
            "Shop",
            "read_settings",
        ],
    },
)
