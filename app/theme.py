"""The look: one accent colour, system fonts, nothing fetched from elsewhere."""

from __future__ import annotations

import gradio as gr

SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO = ["ui-monospace", "Consolas", "monospace"]


def theme() -> gr.themes.Base:
    """A quiet theme in teal and slate."""
    return gr.themes.Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        radius_size="md",
        font=SANS,
        font_mono=MONO,
    ).set(
        body_background_fill="#f6f8f9",
        body_background_fill_dark="#10161d",
        background_fill_primary_dark="#161f28",
        background_fill_secondary_dark="#1d2833",
        border_color_primary_dark="#2c3742",
        block_background_fill="white",
        block_background_fill_dark="#161f28",
        block_border_width="1px",
        block_border_color="#d8dee4",
        block_border_color_dark="#2c3742",
        block_title_text_weight="500",
        block_title_text_color="#56616d",
        block_title_text_color_dark="#a3afbb",
        block_title_text_size="*text_sm",
        block_info_text_color="#56616d",
        block_info_text_color_dark="#a3afbb",
        input_background_fill="white",
        input_background_fill_dark="#10161d",
        input_border_color="#cbd5dc",
        input_border_color_dark="#2c3742",
        input_placeholder_color="#6b7682",
        input_placeholder_color_dark="#8a96a3",
        layout_gap="12px",
        block_padding="10px 12px",
        form_gap_width="8px",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="#eef3f3",
        button_secondary_background_fill_dark="#1d2833",
        button_secondary_background_fill_hover_dark="#273440",
        button_secondary_border_color="#cbd5dc",
        button_secondary_border_color_dark="#2c3742",
        button_border_width="1px",
        body_text_color_subdued="#56616d",
        body_text_color_subdued_dark="#a3afbb",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_hover="#115e59",
        button_primary_background_fill_dark="#0f766e",
        button_primary_background_fill_hover_dark="#0d9488",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )
