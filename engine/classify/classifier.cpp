// SPDX-License-Identifier: Apache-2.0
#include "engine/classify/classifier.hpp"

#include "engine/classify/compiled.hpp"

namespace turnout {

Classifier::Classifier(Reclaimer& reclaimer) : impl_(std::make_shared<classify::Compiled>(reclaimer)) {}
Classifier::~Classifier() { impl_->close(); }

Rule* Classifier::insert(const Match& match, const NewRule& rule) { return impl_->insert(match, rule); }
void Classifier::remove(Rule* rule, Version at) { impl_->remove(rule, at); }
void Classifier::undo(Rule* rule) { impl_->undo(rule); }
void Classifier::published(Version at) { impl_->published(at); }
void Classifier::tidy() { impl_->tidy(); }
Rule* Classifier::find(const Match& match, uint16_t priority, Version at) const {
    return impl_->find(match, priority, at);
}
Match Classifier::match_of(const Rule& rule) const { return impl_->match_of(rule); }
void Classifier::for_each(const Match& wide, Version at, const std::function<void(Rule&)>& visit) const {
    impl_->for_each(wide, at, visit);
}
size_t Classifier::size() const { return impl_->size(); }
const FlowKey& Classifier::reads() const { return impl_->reads(); }

void Classifier::lookup(std::span<const FlowKey* const> keys, Version at, std::span<const Rule*> out) const {
    impl_->lookup(keys, at, out);
}

}  // namespace turnout
